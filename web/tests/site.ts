// What every test starts from: a made-up site of its own, and a page that fails the test on
// any error in the console, a breach of the content policy included.

import { test as base, expect, type Page } from '@playwright/test'
import { Mock } from '../mock/server.mjs'

interface Options {
  siteOptions: { speed?: number; start?: string; extra?: number; fleetSize?: number; hasAhead?: boolean; hasClusters?: boolean; hasStudies?: boolean }
}

interface Fixtures {
  mock: Mock
  url: string
  /** Console messages that are allowed, as a test may cut the connection on purpose. */
  allowed: RegExp[]
}

export const test = base.extend<Options & Fixtures>({
  siteOptions: [{}, { option: true }],
  allowed: async ({}, use) => use([]),
  mock: async ({ siteOptions }, use) => {
    const m = new Mock(siteOptions)
    await use(m)
    await m.close()
  },
  url: async ({ mock }, use) => use(await mock.listen()),
  page: async ({ page, allowed }, use) => {
    const errors: string[] = []
    page.on('pageerror', (e) => errors.push(String(e)))
    page.on('console', (m) => {
      if (m.type() === 'error' || m.type() === 'warning') errors.push(m.text())
    })
    await use(page)
    expect(errors.filter((e) => !allowed.some((a) => a.test(e)))).toEqual([])
  },
})

export { expect }

/** Opens the page by the link that a controller prints. */
export async function open(page: Page, url: string, token = 'operator'): Promise<void> {
  await page.goto(`${url}/#token=${token}`)
  await expect(page.getByTestId('headline')).toBeVisible()
}
