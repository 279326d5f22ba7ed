#!/usr/bin/env node
// The command `underpass`: one line that must run before anything else does, then the command line in main.ts.
//
// The four threads that libuv keeps for file access cost a sidecar several MB of resident memory. Two do: one for the
// manifests, and one for the log, whose reader may keep it waiting. Their number is fixed at the first use, and loading an ES module is
// such a use, which is why this file is not one. Whoever sets the variable has the last word.

process.env['UV_THREADPOOL_SIZE'] ??= '2'

void import('./main.ts')
