import { createHmac, timingSafeEqual } from 'node:crypto'

const MAC_BYTES = 32

/** The MAC of `X-Airtable-Content-MAC: hmac-sha256=<hex>`; undefined where it is not of that form. */
export function macOf(header: string | undefined): Buffer | undefined {
  const hex = /^hmac-sha256=([0-9a-f]{64})$/i.exec(header ?? '')?.[1]
  return hex === undefined ? undefined : Buffer.from(hex, 'hex')
}

/** Whether the bytes, as they came, were signed with the secret: HMAC-SHA256, compared in constant time. */
export function isSignedWith(secret: Buffer, bytes: Buffer, mac: Buffer): boolean {
  const own = createHmac('sha256', secret).update(bytes).digest()
  return mac.length === MAC_BYTES && timingSafeEqual(own, mac)
}
