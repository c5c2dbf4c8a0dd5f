/** What `lib/http/` needs of a logger; pino fits. */
export interface HttpLog {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}
