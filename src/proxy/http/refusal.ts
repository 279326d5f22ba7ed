// Why a message is refused: one small integer for each reason, with its name and the status it is answered with.
//
// The name is what logs and metrics show. A refused request of HTTP/1.1 is answered with the status here and its
// connection closed (RFC 9112 section 2.2 and 6.3), one of HTTP/2 resets its stream (RFC 9113 section 8.1.1); a refused
// response is always a 502, whatever the reason, because the client did nothing wrong (RFC 9110 section 15.6.3).
// Answering and counting are left to the callers.

export const Refusal = {
  none: 0,
  emptyLine: 1,
  methodInvalid: 2,
  methodTooLong: 3,
  targetInvalid: 4,
  targetForm: 5,
  targetTooLong: 6,
  versionMissing: 7,
  versionInvalid: 8,
  versionUnsupported: 9,
  statusInvalid: 10,
  reasonInvalid: 11,
  startLineTooLong: 12,
  bareCr: 13,
  bareLf: 14,
  obsFold: 15,
  nameEmpty: 16,
  nameInvalid: 17,
  nameLookalike: 18,
  spaceBeforeColon: 19,
  colonMissing: 20,
  valueInvalid: 21,
  fieldTooLarge: 22,
  headTooLarge: 23,
  tooManyFields: 24,
  hostMissing: 25,
  hostRepeated: 26,
  hostInvalid: 27,
  hostMismatch: 28,
  lengthInvalid: 29,
  lengthRepeated: 30,
  lengthWithCoding: 31,
  codingInvalid: 32,
  codingUnknown: 33,
  codingInHttp10: 34,
  connectionInvalid: 35,
  connectionNamesProtected: 36,
  expectUnknown: 37,
  bodyForbidden: 38,
  chunkSizeInvalid: 39,
  chunkSizeOverflow: 40,
  chunkExtensionInvalid: 41,
  chunkExtensionTooLarge: 42,
  chunkEndInvalid: 43,
  trailerForbidden: 44,
  trailerTooLarge: 45,
  switchUnasked: 46,
  responseUnsolicited: 47,
  headTruncated: 48,
  bodyTruncated: 49,
  maxForwardsInvalid: 50,
  // From here on only HTTP/2, RFC 9113 section 8.
  nameUppercase: 51,
  valuePadded: 52,
  connectionField: 53,
  teInvalid: 54,
  pseudoUnknown: 55,
  pseudoMissing: 56,
  pseudoRepeated: 57,
  pseudoForbidden: 58,
  pseudoAfterField: 59,
  pseudoInTrailers: 60,
  schemeInvalid: 61,
  lengthMismatch: 62,
  headRepeated: 63,
} as const

export type Refusal = (typeof Refusal)[keyof typeof Refusal]

interface RefusalKind {
  readonly name: string
  /** What a request refused for this reason is answered with. */
  readonly status: number
}

const STATUSES: Readonly<Partial<Record<keyof typeof Refusal, number>>> = {
  methodTooLong: 501, // RFC 9112 section 3: a method longer than any that is implemented
  codingUnknown: 501, // RFC 9112 section 6.1: a transfer coding that is not understood
  targetTooLong: 414, // RFC 9112 section 3
  versionUnsupported: 505, // RFC 9110 section 15.6.6
  expectUnknown: 417, // RFC 9110 section 10.1.1
  fieldTooLarge: 431, // RFC 6585 section 5, as the next three
  headTooLarge: 431,
  tooManyFields: 431,
  trailerTooLarge: 431,
}

/** By code: `REFUSALS[refusal].name` is the reason as logs and metrics show it. */
export const REFUSALS: readonly RefusalKind[] = Object.keys(Refusal).map((key) => ({
  name: key.replace(/[A-Z0-9]+/g, (part) => `-${part.toLowerCase()}`),
  status: STATUSES[key as keyof typeof Refusal] ?? 400,
}))

export function refusalName(refusal: Refusal): string {
  return REFUSALS[refusal]?.name ?? 'unknown'
}

/** The status that a request refused for this reason is answered with. */
export function requestStatus(refusal: Refusal): number {
  return REFUSALS[refusal]?.status ?? 400
}

/** The status that the client is given instead of a refused response. */
export const RESPONSE_STATUS = 502
