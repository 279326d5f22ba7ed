// A clock that all processes of the machine share and that nobody sets.

/** Milliseconds, with a fraction. */
export function monotonic(): number {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1000 + nanos / 1e6
}
