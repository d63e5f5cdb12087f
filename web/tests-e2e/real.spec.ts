import { expect, program, running, test } from './real'

test.skip(program === '', 'SWITCHYARD_BIN is missing: it names the built program, such as bin/switchyard')
test.setTimeout(60_000)

test('the printed link shows every node, the clearing point and a cell a miner', async ({ page, site, real }) => {
  expect(page.url()).toBe(`${new URL(real.link).origin}/`)
  expect(site.role).toBe('admin')
  await expect(page.getByText(site.notice)).toBeVisible()
  const keys = [...site.nodes.map((n) => `node:${n.id}`), ...site.gpu_clusters!.map((c) => `cluster:${c.id}`), ...site.groups.map((g) => `group:${g.id}`), ...site.tenants.map((t) => `tenant:${t.id}`)]
  expect(keys.length).toBe(13)
  for (const k of keys) await expect(page.locator(`[data-key="${k}"] .big`)).toHaveText(/^\d+\.\d\d$/, { timeout: 20_000 })
  await expect(page.locator('[data-key]')).toHaveCount(keys.length)

  await expect(page.getByTestId('clearing')).toBeVisible({ timeout: 20_000 })
  await expect(page.getByTestId('cleared')).toContainText(/W cleared at .+, limit/)
  expect(await page.locator('.block').count()).toBeGreaterThan(5)

  expect(site.groups.reduce((s, g) => s + g.devices, 0)).toBe(60)
  await page.locator('section[aria-label="Halls"]').scrollIntoViewIfNeeded()
  for (const g of site.groups) await expect(page.getByTestId(`map-${g.id}`)).toHaveAttribute('data-cells', String(g.devices))
  await expect
    .poll(async () => (await page.locator('section[aria-label="Halls"] .legend b').allTextContents()).reduce((s, n) => s + Number(n), 0))
    .toBe(60)
})

test('values move as they are read', async ({ page, live }) => {
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  const clock = await page.getByTestId('clock').textContent()
  await running(page, live, 200e3)
  await expect(page.getByTestId('clock')).not.toHaveText(clock!)
  const tenant = page.locator('[data-key^="tenant:"] .leaf')
  const title = await tenant.getAttribute('title')
  await expect(tenant).not.toHaveAttribute('title', title!, { timeout: 20_000 })
})

test('a miner says why it is as it is, and a hold is kept and let go', async ({ page, site, live }) => {
  await running(page, live, 200e3)
  const g = site.groups[0]! // the miners worth most: they sleep last
  const cells = (await (await page.request.get(`/api/v1/groups/${g.id}/map`)).json()).cells as { device: string; state: string }[]
  const at = cells.findIndex((c, i) => c.state === 'hashing' && i !== 6) // the seventh lies
  const device = cells[at]!.device
  const map = page.getByTestId(`map-${g.id}`)
  await map.scrollIntoViewIfNeeded()
  await expect(map).toHaveAttribute('data-cells', String(g.devices))
  const pitch = Number(await map.getAttribute('data-pitch'))
  const columns = Number(await map.getAttribute('data-columns'))
  await map.click({ position: { x: pitch * ((at % columns) + 0.5), y: pitch * (Math.floor(at / columns) + 0.5) } })
  const drawer = page.getByRole('dialog', { name: device })
  await expect(drawer.locator('.answer')).toContainText(device)

  await drawer.getByRole('button', { name: 'Hold asleep' }).click()
  await drawer.getByLabel('Note for the journal').fill('fan replaced')
  await drawer.getByRole('button', { name: 'Yes, hold asleep' }).click()
  await expect(drawer).toContainText('Held asleep.')
  // The whole chain: the command with its reason, the acknowledgement, the reading that confirms it.
  await expect
    .poll(async () => (await (await page.request.get(`/api/v1/why/${device}`)).json()).answer, { timeout: 30_000 })
    .toMatch(/ is held in mode sleep by first: fan replaced; .*sleep, because .*\(hold\); confirmed by a reading/)
  const steps = (await (await page.request.get(`/api/v1/why/${device}`)).json()).steps as { kind: string; at: string | null }[]
  for (const kind of ['reason', 'plan', 'command', 'ack', 'confirm']) expect(steps.map((s) => s.kind)).toContain(kind)
  expect(steps.every((s) => s.at !== null)).toBe(true)

  await drawer.getByRole('button', { name: 'Release' }).click()
  await drawer.getByRole('button', { name: 'Yes, release' }).click()
  await expect(drawer).toContainText('Released.')
})

test('a limit is asked about, set, met, listed and cleared', async ({ page, live }) => {
  await running(page, live, 240e3)
  await page.getByRole('button', { name: 'Limit', exact: true }).click()
  const d = page.getByRole('dialog', { name: 'Limit' })
  await d.getByLabel('Node').selectOption('connection')
  await d.getByLabel('Unit').selectOption('kW')
  await d.getByLabel('Not above').fill('210')
  await expect(d.getByTestId('effect')).toContainText(/Will shed about/)
  await d.getByLabel('Note for the journal').fill('utility asked by phone')
  await d.getByRole('button', { name: 'Review' }).click()
  expect((await live()).limits?.filter((l) => l.manual) ?? []).toEqual([])
  await d.getByTestId('confirm-limit').click()
  const listed = d.locator('.limit', { hasText: '210 kW' })
  await expect(listed).toContainText('utility asked by phone')
  await expect(listed).toContainText('first')

  await expect.poll(async () => (await live()).nodes?.[0]?.power_w ?? Infinity, { timeout: 30_000 }).toBeLessThanOrEqual(210e3)
  await d.getByRole('button', { name: 'Close' }).click()
  await expect.poll(async () => Number(await page.locator('[data-key="node:connection"] .big').textContent())).toBeLessThanOrEqual(0.21)
  await expect(page.locator('section[aria-label="Decisions"] li', { hasText: "limit of 210 kW set by first" })).toHaveCount(1)

  await page.getByRole('button', { name: 'Limit', exact: true }).click()
  await listed.getByRole('button', { name: /^Clear the limit/ }).click()
  await d.getByRole('button', { name: 'Yes, clear it' }).click()
  await expect(listed).toHaveCount(0)
  expect((await live()).limits?.filter((l) => l.manual) ?? []).toEqual([])
  await d.getByRole('button', { name: 'Close' }).click()
  await running(page, live, 225e3) // mining comes back
})

test('the report has a line a hall and ties to the meter', async ({ page, live }) => {
  await running(page, live, 200e3)
  await page.getByRole('link', { name: 'Report' }).click()
  const rows = page.locator('tbody tr')
  await expect(rows).toHaveCount(5, { timeout: 40_000 }) // the first interval closes after five minutes of site time
  await expect(page.getByText('The day is not complete')).toBeVisible()
  const r = await (await page.request.get('/api/v1/report/day')).json()
  const sum = (of: { energy_mwh: number }[]) => of.reduce((s, l) => s + l.energy_mwh, 0)
  expect(sum(r.halls) + sum(r.losses) + r.remainder_mwh).toBeCloseTo(r.energy_mwh, 6)
  expect(Math.abs(r.remainder_percent)).toBeLessThan(0.5)
})

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } })
  test('nothing scrolls sideways, and the page is no longer than its parts', async ({ page, live }) => {
    await running(page, live, 200e3)
    await expect(page.locator('section[aria-label="Decisions"] li').nth(6)).toBeAttached({ timeout: 20_000 })
    for (const tab of ['#/', '#/report']) {
      await page.evaluate((h) => (location.hash = h), tab)
      await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
      // No part ends below the last one: unseen words must not make the page longer.
      const [long, end] = await page.evaluate(() => [document.documentElement.scrollHeight, Math.max(...[...document.querySelectorAll('main, main section')].map((e) => e.getBoundingClientRect().bottom + scrollY))])
      expect(long).toBeLessThanOrEqual(Math.max(end!, 844) + 100)
    }
  })
})
