// The codes that a call of gRPC ends with, by number, and their names as gRPC writes them.
//
// What each of them means to the mesh is left to those who ask.

export const GrpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus]

/** By code: UNAVAILABLE and so on. */
export const GRPC_NAMES: readonly string[] = Object.keys(GrpcStatus).map((key) =>
  key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
)

/** Any other number is none of gRPC's, and counts as UNKNOWN. */
export const MOST_GRPC_STATUS: number = GrpcStatus.unauthenticated

export function grpcName(status: number): string {
  return GRPC_NAMES[status] ?? 'UNKNOWN'
}
