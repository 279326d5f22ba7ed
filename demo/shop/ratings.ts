// The shop's ratings: knows how many stars a product has, and calls nobody.

import { seen, serveJson } from './service.ts'

serveJson(9080, (request) => ({ ...seen(request), stars: 4 }))
