// Colours for a terminal, and none for anything else. Respects NO_COLOR (no-color.org).

export type Paint = Readonly<
  Record<'bold' | 'dim' | 'green' | 'red' | 'cyan', (text: string) => string>
>

const CODES = { bold: 1, dim: 2, green: 32, red: 31, cyan: 36 } as const

export function paintFor(isColoured: boolean): Paint {
  const wrap =
    (code: number) =>
    (text: string): string =>
      isColoured ? `\u001b[${code}m${text}\u001b[0m` : text
  return {
    bold: wrap(CODES.bold),
    dim: wrap(CODES.dim),
    green: wrap(CODES.green),
    red: wrap(CODES.red),
    cyan: wrap(CODES.cyan),
  }
}

export function isColoured(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
