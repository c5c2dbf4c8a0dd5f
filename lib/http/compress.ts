import { promisify } from 'node:util'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import type { Coding } from '../snapshot.ts'

const { constants } = zlib
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }
/** A small window: many may run at once. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 18 } }

/** A stream that encodes what was not rendered beforehand; undefined where there is nothing to do. */
export function compressor(coding: Coding): Transform | undefined {
  if (coding === 'zstd') return zlib.createZstdCompress(ZSTD)
  if (coding === 'br') return zlib.createBrotliCompress(BROTLI)
  if (coding === 'gzip') return zlib.createGzip()
  return undefined
}

const zstd = promisify(zlib.zstdCompress)
const brotli = promisify(zlib.brotliCompress) as (bytes: Buffer, options: zlib.BrotliOptions) => Promise<Buffer>
const gzip = promisify(zlib.gzip) as (bytes: Buffer) => Promise<Buffer>

/** Encodes a small body in one go. */
export async function compress(coding: Coding, bytes: Buffer): Promise<Buffer> {
  if (coding === 'zstd') return await zstd(bytes, ZSTD)
  if (coding === 'br') return await brotli(bytes, BROTLI)
  if (coding === 'gzip') return await gzip(bytes)
  return bytes
}
