import { crc32, deflateSync } from 'node:zlib'
import { Random } from './random.ts'

const PNG_START = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const CHUNK_OVERHEAD = 12

/** Bytes that are always the same for a file, `size` of them; a PNG is one that can be looked at. */
export function fileContent(file: { readonly id: string; readonly type: string; readonly size: number }): Buffer {
  const random = new Random(crc32(file.id))
  const image = file.type === 'image/png' ? tinyPng(random) : Buffer.alloc(0)
  if (image.length > 0 && file.size >= image.length + CHUNK_OVERHEAD) return padPng(image, file.size)
  return noise(random, file.size, file.id)
}

/** One pixel in some colour. */
function tinyPng(random: Random): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(1, 0)
  header.writeUInt32BE(1, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const pixel = Buffer.from([0, random.whole(0, 255), random.whole(0, 255), random.whole(0, 255)])
  return Buffer.concat([PNG_START, chunk('IHDR', header), chunk('IDAT', deflateSync(pixel)), chunk('IEND')])
}

/** With a private chunk before the end, so that the file has its size. */
function padPng(png: Buffer, size: number): Buffer {
  const endAt = png.length - CHUNK_OVERHEAD
  const padding = chunk('paDd', Buffer.alloc(size - png.length - CHUNK_OVERHEAD))
  return Buffer.concat([png.subarray(0, endAt), padding, png.subarray(endAt)])
}

function chunk(name: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const check = Buffer.alloc(4)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

function noise(random: Random, size: number, name: string): Buffer {
  const bytes = Buffer.alloc(size, `${name} `)
  for (let at = name.length + 1; at + 4 <= size; at += 64) bytes.writeUInt32LE(random.whole(0, 2 ** 32 - 1), at)
  return bytes
}
