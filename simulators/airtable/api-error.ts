import type { Json } from './json.ts'

/** The four shapes that bodies of errors have, by what stands for the error. */
export type ErrorShape = 'text' | 'type' | 'error' | 'errors'

/** Thrown by whatever answers a request, and answered as Airtable would. */
export class ApiError extends Error {
  readonly status: number
  readonly type: string
  readonly detail: string | undefined
  readonly shape: ErrorShape
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    type: string,
    detail?: string,
    options: { shape?: ErrorShape; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail ?? type)
    this.name = 'ApiError'
    this.status = status
    this.type = type
    this.detail = detail
    this.shape = options.shape ?? (detail === undefined ? 'text' : 'error')
    this.headers = options.headers ?? {}
  }

  get body(): Json {
    const message = this.detail ?? this.type
    if (this.shape === 'text') return { error: this.type }
    if (this.shape === 'type') return { error: { type: this.type } }
    if (this.shape === 'error') return { error: { type: this.type, message } }
    return { errors: [{ error: this.type, message }] }
  }
}

export const unauthorized = () => new ApiError(401, 'AUTHENTICATION_REQUIRED', 'Authentication required')

export const wrongToken = () => new ApiError(401, 'UNAUTHORIZED', 'Invalid authentication token')

/** Whether something is missing or may not be seen is not told apart. */
export const forbidden = () =>
  new ApiError(
    403,
    'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND',
    'Invalid permissions, or the requested model was not found. Check that both your user and your token have the required permissions, and that the model names and/or ids are correct.',
  )

export const notFound = () => new ApiError(404, 'NOT_FOUND')

export const invalid = (detail: string) => new ApiError(422, 'INVALID_REQUEST_UNKNOWN', detail)

export const unknownField = (name: string) => new ApiError(422, 'UNKNOWN_FIELD_NAME', `Unknown field name: "${name}"`)

export const iteratorGone = () =>
  new ApiError(
    422,
    'LIST_RECORDS_ITERATOR_NOT_AVAILABLE',
    'The iterator is no longer available, probably because it has expired. Start the list again.',
  )

export const rateLimited = (shape: ErrorShape, headers: Readonly<Record<string, string>> = {}) =>
  new ApiError(429, 'RATE_LIMIT_REACHED', 'Rate limit exceeded. Please try again later', { shape, headers })

export const overQuota = () =>
  new ApiError(
    429,
    'PUBLIC_API_BILLING_LIMIT_EXCEEDED',
    "API billing plan limit exceeded. You've reached the maximum number of requests allowed for this month.",
    { shape: 'errors' },
  )
