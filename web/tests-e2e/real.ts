// What the tests of the whole start from: the program itself, running its demonstration with
// emulated devices behind real sockets. One for all tests; each logs in by the printed link.

import { test as base, expect, type Page } from '@playwright/test'
import { spawn, type ChildProcess } from 'node:child_process'
import type { LiveView, SiteView } from '../src/lib/types'

export const program = process.env.SWITCHYARD_BIN ?? ''

interface Real {
  /** The printed link, with its token. */
  link: string
}

/** Waits for the line with the page's address among what the program prints. */
function printed(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr!.on('data', (b: Buffer) => {
      said += b.toString()
      const m = /http:\/\/\S+#token=\S+/.exec(said)
      if (m) resolve(m[0])
    })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`the demonstration ended with ${code}: ${said}`)))
  })
}

export const test = base.extend<{ site: SiteView; live: () => Promise<LiveView>; mayFail: RegExp[] }, { real: Real }>({
  real: [
    async ({}, use) => {
      const child = spawn(program, ['demo', '--miners', '60', '--speed', '60', '--listen', '127.0.0.1:0'])
      child.stdout.resume()
      const link = await printed(child)
      await use({ link })
      child.removeAllListeners('exit')
      const ended = new Promise<number | null>((r) => child.on('exit', r))
      child.kill('SIGINT')
      const slow = setTimeout(() => child.kill('SIGKILL'), 20_000)
      const code = await ended
      clearTimeout(slow)
      expect(code, 'the demonstration ends in order').toBe(0)
    },
    { scope: 'worker', timeout: 60_000 },
  ],
  // Console messages that a test brings about on purpose.
  mayFail: async ({}, use) => use([]),
  page: async ({ page, real, mayFail }, use) => {
    const errors: string[] = []
    page.on('pageerror', (e) => errors.push(String(e)))
    page.on('console', (m) => {
      if (m.type() === 'error' || m.type() === 'warning') errors.push(m.text())
    })
    await page.goto(real.link)
    await expect(page.getByTestId('headline')).toBeVisible()
    await use(page)
    expect(errors.filter((e) => !mayFail.some((m) => m.test(e)))).toEqual([])
  },
  // Asked with the page's own session.
  site: async ({ page }, use) => use((await (await page.request.get('/api/v1/site')).json()) as SiteView),
  live: async ({ page }, use) => use(async () => (await (await page.request.get('/api/v1/live')).json()) as LiveView),
  baseURL: async ({ real }, use) => use(new URL(real.link).origin),
})

/** Waits until the controller has met its devices and mining runs. */
export async function running(page: Page, live: () => Promise<LiveView>, watts: number): Promise<void> {
  await expect(page.getByTestId('safety')).toContainText('Within limits', { timeout: 20_000 })
  await expect.poll(async () => (await live()).nodes?.[0]?.power_w ?? 0, { timeout: 20_000 }).toBeGreaterThan(watts)
}

export { expect }
