/** Finds the end of the first frame with data in an event stream, in bytes that may be cut anywhere. */
export class FirstFrame {
  #tail: Buffer = Buffer.alloc(0)
  #isInData = false

  /** True once the frame is there whole. */
  push(chunk: Buffer): boolean {
    if (this.#isInData) {
      const seam = Buffer.concat([this.#tail, chunk.subarray(0, 1)])
      this.#tail = Buffer.from(chunk.subarray(-1))
      return seam.includes('\n\n') || chunk.includes('\n\n')
    }
    const bytes = Buffer.concat([this.#tail, chunk])
    const data = bytes.indexOf('data:')
    if (data < 0) {
      this.#tail = bytes.subarray(-4)
      return false
    }
    this.#isInData = true
    this.#tail = bytes.subarray(-1)
    return bytes.includes('\n\n', data)
  }
}
