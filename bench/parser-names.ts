// The parsers that are compared, ours first.

export const PARSERS = ['ours', 'ours, all decoded', 'http-parser-js', 'llhttp'] as const
export type ParserName = (typeof PARSERS)[number]
