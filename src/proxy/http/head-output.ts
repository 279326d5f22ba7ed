// What lines are added to while a head is written, in whatever codec.

export interface HeadOutput {
  /** Adds a field after those that there are. One that could break the head is refused when the head is finished. */
  add(name: string, value: string): void
  /** Adds whole field lines, each with its CRLF, that were made, and found sound, ahead of time. */
  addLines(lines: Buffer): void
  /** Adds a field line with a whole number in it, not negative; what stands before and after it was made ahead of time. */
  addNumber(before: Buffer, value: number, after: Buffer): void
}
