// Many coarse alarms on one timer: what a request can be given without paying for a timer of its own.
//
// An alarm is an object that its owner keeps and sets again and again. Setting it later, or taking it off, changes one
// number and leaves it in its place; the wheel looks when it comes by and moves it on. So what is set for seconds and
// over in a millisecond costs two stores. An alarm rings at most one turn of the timer late, and never early. The
// timer runs only while there is something to wait for.

import type { Clock, Timer } from './clock.ts'
import type { Millis } from './duration.ts'

/** Between two looks. */
export const PERIOD: Millis = 10
/** Places on the wheel: what is further away is looked at once a round. */
const SLOTS = 256
const NOWHERE = -1
const NEVER = Number.POSITIVE_INFINITY

export interface AlarmListener<Subject> {
  /** The time that was set has come; the alarm is off. `now` is the clock's. */
  rang(subject: Subject, now: Millis): void
}

export class Alarm<Subject> {
  readonly subject: Subject
  /** When it is to ring; infinite if it is off. Starts as a double, which times are. */
  at: Millis = NEVER
  /** The wheel's own: its place, and its neighbours there. */
  slot: number = NOWHERE
  before: Alarm<Subject> | undefined = undefined
  behind: Alarm<Subject> | undefined = undefined
  listener: AlarmListener<Subject> | undefined = undefined

  constructor(subject: Subject) {
    this.subject = subject
  }

  get isSet(): boolean {
    return this.at !== NEVER
  }

  /** It will not ring. It stays in its place until the wheel comes by. */
  stop(): void {
    this.at = NEVER
  }
}

export class TimerWheel<Subject> {
  readonly #clock: Clock
  readonly #slots: (Alarm<Subject> | undefined)[] = new Array<undefined>(SLOTS).fill(undefined)
  #count = 0
  /** When the timer began, and how many periods of it were looked at since. */
  #origin: Millis = NaN
  #done = 0
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#timer = undefined
  }

  /** Alarms that have a place, those that were taken off lately included. */
  get size(): number {
    return this.#count
  }

  /** `now` is the clock's. One that is set already is set anew. */
  set(alarm: Alarm<Subject>, at: Millis, now: Millis, listener: AlarmListener<Subject>): void {
    alarm.listener = listener
    const isSooner = at < alarm.at
    alarm.at = at
    if (alarm.slot === NOWHERE) this.#place(alarm, now)
    else if (isSooner && this.#isLate(alarm, now)) {
      this.#unlink(alarm)
      this.#place(alarm, now)
    }
  }

  /** Lets go of an alarm whose owner is gone. */
  forget(alarm: Alarm<Subject>): void {
    alarm.at = NEVER
    if (alarm.slot !== NOWHERE) this.#unlink(alarm)
  }

  /** Whether the wheel comes by its place only after it should ring. */
  #isLate(alarm: Alarm<Subject>, now: Millis): boolean {
    const ahead = (alarm.slot - (this.#done % SLOTS) + SLOTS) % SLOTS
    const visited = this.#origin + (this.#done + (ahead === 0 ? SLOTS : ahead)) * PERIOD
    return visited > Math.max(alarm.at, now) + PERIOD
  }

  #place(alarm: Alarm<Subject>, now: Millis): void {
    if (this.#timer === undefined) this.#start(now)
    // In the first period whose end is not before its time, but at least the next, and within one round.
    const due = Math.ceil((Math.min(alarm.at, now + SLOTS * PERIOD) - this.#origin) / PERIOD)
    const period = Math.min(Math.max(due, this.#done + 1), this.#done + SLOTS - 1)
    const slot = period % SLOTS
    alarm.slot = slot
    const first = this.#slots[slot]
    alarm.before = undefined
    alarm.behind = first
    if (first !== undefined) first.before = alarm
    this.#slots[slot] = alarm
    this.#count += 1
  }

  #start(now: Millis): void {
    this.#origin = now
    this.#done = 0
    this.#timer = this.#clock.every(PERIOD, () => {
      // What arrived during a stall is read before anybody is told that it did not.
      this.#clock.afterPoll(() => {
        this.#look()
      })
    })
  }

  #unlink(alarm: Alarm<Subject>): void {
    const { before, behind, slot } = alarm
    if (before === undefined) this.#slots[slot] = behind
    else before.behind = behind
    if (behind !== undefined) behind.before = before
    alarm.before = undefined
    alarm.behind = undefined
    alarm.slot = NOWHERE
    this.#count -= 1
  }

  #look(): void {
    const now = this.#clock.now()
    const current = Math.floor((now - this.#origin) / PERIOD)
    // After a stall of more than a round every place is looked at once.
    if (current - this.#done > SLOTS) this.#done = current - SLOTS
    while (this.#done < current) {
      this.#done += 1
      this.#empty(this.#done % SLOTS, now)
    }
    if (this.#count > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #empty(slot: number, now: Millis): void {
    // What is set meanwhile goes to a later place, but for one round's: it is found there when this one is empty.
    for (;;) {
      const alarm = this.#slots[slot]
      if (alarm === undefined) return
      this.#unlink(alarm)
      if (alarm.at <= now) {
        alarm.at = NEVER
        alarm.listener?.rang(alarm.subject, now)
      } else if (alarm.at !== NEVER) {
        this.#place(alarm, now)
      }
    }
  }
}
