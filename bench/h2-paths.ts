// What the clients of many streams ask their backend for, besides small answers.

/** A small piece now and then, without end. */
export const PIECES = '/pieces'
/** As much as is taken, without end. */
export const FLOOD = '/flood'
