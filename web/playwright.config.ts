import { defineConfig } from '@playwright/test'

// One worker and no retries: the machine that runs this also runs everything else, and a test
// that passes on the second try has not passed.
export default defineConfig({
  // The page alone, against its mock; then the program itself, which SWITCHYARD_BIN names.
  projects: [
    { name: 'mock', testDir: 'tests' },
    { name: 'real', testDir: 'tests-e2e' },
  ],
  timeout: 20_000,
  expect: { timeout: 6_000 },
  workers: 1,
  retries: 0,
  reporter: [['list']],
  outputDir: 'test-results',
  use: {
    browserName: 'chromium',
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    },
  },
})
