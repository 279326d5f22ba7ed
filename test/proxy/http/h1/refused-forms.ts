// The shapes that the tables of refused requests are made of.

export type Make = (text: string, body?: string) => string

export type Case = readonly [name: string, bytes: string, reason: string, status: number]

export const HOST: string = 'Host: a.example\r\n'
export const get: Make = (fields) => `GET / HTTP/1.1\r\n${HOST}${fields}\r\n`
export const post: Make = (fields, body = '') => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${body}`
export const line: Make = (text) => `${text}\r\n${HOST}\r\n`
export const host: Make = (value) => `GET / HTTP/1.1\r\nHost:${value}\r\n\r\n`

export const TE: string = 'Transfer-Encoding:'
export const CL: string = 'Content-Length:'
