import { expect, open, test } from './site'

test.use({ siteOptions: { speed: 1 } })

test("a tenant's token lands on its own page, which asks for nothing else and leads nowhere else", async ({ page, url, mock }) => {
  mock.short = true
  await open(page, url, 'beta')
  await expect(page).toHaveTitle('Beta Labs · Millbrook Station')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Beta Labs')
  await expect(page.getByTestId('headline')).toHaveText('Your firm jobs run at full power; training is about 8 % slower until 18:30, because the grid is short.')
  await expect(page.getByTestId('tenant-chart').locator('canvas')).toBeVisible()

  // Whatever address is typed, it is the same page.
  for (const to of ['schedule', 'miners', 'clusters', 'tenants/gamma', 'report']) {
    await page.goto(`${url}/#/${to}`)
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Beta Labs')
    await expect(page.getByRole('navigation')).toHaveCount(0)
  }
  await page.keyboard.press('/')
  await expect(page.getByRole('searchbox')).toHaveCount(0)
  const links = await page.getByRole('link').evaluateAll((l) => l.map((a) => a.getAttribute('href') ?? ''))
  expect(links.length).toBeGreaterThan(5)
  for (const l of links) expect(l).toMatch(/^\/api\/v1\/tenant\/invoices\//)
  for (const s of mock.seen) expect(s).toMatch(/^beta ops GET \/(session$|tenant(\/|$))/)
  await expect(page.locator('body')).not.toContainText(/Helix|Gamma|Acme|protein|miners run/)
})

test('power, GPUs and jobs, with what holds them back and why', async ({ page, url, mock }) => {
  mock.short = true
  await open(page, url, 'beta')
  await expect(page.getByTestId('effect')).toContainText('64 GPUs of your training jobs are held to 450 W')
  await expect(page.getByTestId('effect')).toContainText('Since 16:55')
  const gpus = page.getByRole('region', { name: 'GPUs and jobs' })
  await expect(gpus.getByRole('list', { name: 'Nodes' }).getByRole('listitem')).toHaveCount(3)
  await expect(gpus.getByRole('list', { name: 'Nodes' })).toContainText('held to 400 W of 700 W each until 18:30')
  const rows = page.getByTestId('tenant-jobs').locator('tbody tr')
  await expect(rows).toHaveCount(4)
  await expect(rows.first()).toContainText(/reward-model.*Paused.*7 min ago.*its work was saved/s)
  await expect(page.getByRole('region', { name: 'Power, last day' }).locator('.legend')).toContainText(/drawn \d+ kW.*wanted \d+ kW/s)
})

test('service so far in a sentence, with what counts and what does not', async ({ page, url, mock }) => {
  await open(page, url, 'helix')
  await expect(page.getByTestId('sla')).toHaveText('You had power for 99.984 % of the time. Another 21 min may be lost this month before a credit is owed.')
  await expect(page.getByText('Promise kept')).toBeVisible()
  const events = page.getByRole('region', { name: 'Events' })
  await expect(events.getByRole('listitem')).toHaveCount(3)
  await expect(events).toContainText('Does not count: announced seven days before')
  mock.broken = true
  await expect(page.getByText('Promise broken')).toBeVisible()
  await expect(page.getByTestId('sla')).toContainText('comes back to you')
  await expect(page.getByRole('region', { name: 'Service this month' })).toContainText('$10,850')
})

test('invoices are files, and power on offer is told', async ({ page, url, request }) => {
  await open(page, url, 'helix')
  const invoices = page.getByRole('region', { name: 'Invoices' })
  await expect(invoices.getByRole('listitem')).toHaveCount(3)
  await expect(invoices.getByRole('listitem').nth(1)).toContainText(/January 2026.*2026-000007.*\$284,925\.42/s)
  const href = await invoices.getByRole('link', { name: 'PDF of 2026-000007' }).getAttribute('href')
  expect(href).toBe('/api/v1/tenant/invoices/2026-000007?format=pdf')
  const r = await request.get(url + href, { headers: { cookie: 'switchyard=helix' } })
  expect([r.headers()['content-type'], await r.text()]).toEqual(['application/pdf', 'invoice 2026-000007 of helix'])
  await expect(page.getByTestId('more')).toHaveText('You could draw 1.10 MW more until 17:30, at $52.10/MWh.')
  await expect(page.getByRole('region', { name: 'More power' }).locator('tbody tr')).toHaveCount(2)
})

test('a tenant without a promise is told that there is none', async ({ page, url }) => {
  await open(page, url, 'gamma')
  await expect(page.getByText('Your contract promises no availability.')).toBeVisible()
})

test('a cut connection is said, old values are grey, and a login that ended leads back', async ({ page, url, mock, allowed }) => {
  allowed.push(/ERR_|Failed to load resource/)
  await open(page, url, 'beta')
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  mock.down(4000)
  await expect(page.locator('main.stale')).toBeVisible()
  await expect(page.getByRole('alert')).toContainText('The controller does not answer')
  await expect(page.getByText('Live', { exact: true })).toBeVisible({ timeout: 15_000 })
  await page.getByRole('button', { name: 'Log out' }).click()
  await expect(page.getByLabel('Token')).toBeVisible()
  await page.goto(`${url}/#/clusters`)
  await expect(page.getByLabel('Token')).toBeVisible()
})

test.describe('a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  for (const who of ['helix', 'beta']) {
    test(`nothing scrolls sideways for ${who}`, async ({ page, url, mock }) => {
      mock.short = mock.broken = true
      await open(page, url, who)
      await expect(page.getByTestId('tenant-chart').locator('canvas')).toBeVisible()
      expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBe(0)
    })
  }
})
