// Node's own llhttp, reached the way node:http reaches it, and typed as far as it is used here.
//
// There is no public door to it. `process.binding` is deprecated but not gone; where it is, `openLlhttp` gives
// undefined and callers say that they compare with less.

export type Callback = (...values: never[]) => unknown

/** `info` of http-parser-js in its older shape, or the nine values of llhttp. */
export interface LlhttpParser {
  initialize(kind: number, resource: object, maxHeaderSize?: number, flags?: number): void
  execute(bytes: Buffer): number | Error
  finish(): number | Error | undefined
  close(): void
  [event: number]: Callback | undefined
}

export interface LlhttpClass {
  new (): LlhttpParser
  readonly REQUEST: number
  readonly RESPONSE: number
  readonly kOnMessageBegin: number
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
}

export interface Llhttp {
  readonly HTTPParser: LlhttpClass
  readonly methods: readonly string[]
}

export function openLlhttp(): Llhttp | undefined {
  const door = Reflect.get(process, 'binding') as ((name: string) => Llhttp) | undefined
  const silent = process.noDeprecation
  Reflect.set(process, 'noDeprecation', true)
  try {
    return door?.call(process, 'http_parser')
  } catch {
    return undefined
  } finally {
    Reflect.set(process, 'noDeprecation', silent)
  }
}
