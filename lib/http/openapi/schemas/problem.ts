import { z } from 'zod'
import { FAILURES, type FailureCode } from '../../../errors.ts'
import { named } from '../components.ts'

const codes = Object.keys(FAILURES) as FailureCode[]

export const FailureCodes = named(
  'FailureCode',
  z.enum(codes).describe('Stable: what programs switch on. docs/errors.md says what each of them means.'),
)

export const Problem = named(
  'Problem',
  z
    .looseObject({
      type: z.string().describe('`urn:holdfast:problem:<code>`'),
      title: z.string(),
      status: z.int(),
      detail: z.string().describe('What happened, with the values; then what to do'),
      code: FailureCodes,
      request_id: z.string().describe('Also in the header X-Request-Id, and in the log'),
    })
    .describe('What went wrong: RFC 9457. Facts, such as `parameter` and `known`, are members of their own.'),
)

export const RestProblem = named(
  'RestProblem',
  z
    .object({
      code: z.string().describe("PostgREST's code, PostgreSQL's, or `holdfast_<code>` where neither has one"),
      details: z.string().nullable(),
      hint: z.string().nullable(),
      message: z.string(),
    })
    .describe("What went wrong, as PostgREST's clients read it"),
)
