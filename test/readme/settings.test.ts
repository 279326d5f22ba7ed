// The settings in the README are the ones that the proxy reads.

import t from 'tap'
import { settingsTable } from '../../src/proxy/settings-keys.ts'
import { readme } from './table.ts'

t.test('readme: it has the table of the settings as the command prints it', async (t) => {
  t.ok(readme().includes(`\n${settingsTable()}\n`), 'run `underpass proxy --help` and paste')
})
