// The shop's reviews: a text, and the stars that it asks the ratings for. `/who` says only who answers.

import { getJson, seen, serveJson } from './service.ts'

serveJson(9080, async (request) => {
  if (request.url === '/who') return seen(request)
  return {
    ...seen(request),
    text: 'Keeps what it promises.',
    ratings: await getJson('http://ratings:9080/'),
  }
})
