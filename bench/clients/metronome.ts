// Wakes its parent on a schedule: one byte a beat on standard output, at START + n times INTERVAL milliseconds of the
// machine's monotonic clock.
//
// A process of its own, because a Node.js timer is late by up to a millisecond, which is many times what a proxy
// adds, and turning in circles until the time has come would take the core from the others that share it. Waiting
// on a cell that nobody writes is exact to some tens of microseconds and costs nothing. It ends with its beats, or
// as soon as nobody listens.

import { writeSync } from 'node:fs'
import { monotonic } from './monotonic.ts'

const [start = Number.NaN, interval = Number.NaN, beats = Number.NaN] = process.argv
  .slice(2)
  .map(Number)
const cell = new Int32Array(new SharedArrayBuffer(4))
const byte = Buffer.from('.')

for (let beat = 0; beat < beats; beat++) {
  const left = start + beat * interval - monotonic()
  if (left > 0) Atomics.wait(cell, 0, 0, left)
  writeSync(1, byte)
}
