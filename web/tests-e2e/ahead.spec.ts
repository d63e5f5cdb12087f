import { expect, program, running, test } from './real'
import type { ForecastView, ScheduleView, SignalsView } from '../src/lib/aheadtypes'

test.skip(program === '', 'SWITCHYARD_BIN is missing: it names the built program, such as bin/switchyard')
test.setTimeout(60_000)

test('the plan is made, holds together, and is told as it is drawn', async ({ page, site, live }) => {
  await running(page, live, 200e3)
  const ask = async () => (await (await page.request.get('/api/v1/schedule')).json()) as ScheduleView
  await expect.poll(async () => (await ask()).steps.length, { timeout: 30_000 }).toBeGreaterThan(20)
  const v = await ask()
  expect(['exact', 'milp', 'lp', 'merit']).toContain(v.method)
  // A cluster is planned as its firm part, "gpu:firm", and its classes that can bend, "gpu/training".
  const gpus = site.gpu_clusters!.map((c) => c.id)
  const ids = v.loads.map((l) => l.load)
  for (const c of gpus) expect(ids).toContain(`${c}:firm`)
  expect(ids.filter((id) => !gpus.includes(id.split(/[:/]/)[0]!)).sort()).toEqual([...site.tenants, ...site.groups].map((l) => l.id).sort())
  for (const l of v.loads) expect(l.power_w.length, l.load).toBe(v.steps.length)
  v.steps.forEach((s, i) => {
    const before = v.steps[i - 1]
    // To the millisecond: a plan begins at any moment, and the page's times have no finer.
    if (before) expect(Math.abs(Date.parse(s.start) - Date.parse(before.start) - before.length_s * 1000), 'a step begins where the one before it ends').toBeLessThan(2)
    const sum = v.loads.reduce((w, l) => w + l.power_w[i]!, 0)
    expect(s.site_w!, 'the connection carries its loads').toBeGreaterThanOrEqual(sum * 0.999)
    if (s.cap_w != null) expect(s.site_w!, 'and no more than its limit').toBeLessThanOrEqual(s.cap_w + 1)
  })

  await page.getByRole('link', { name: 'Schedule' }).first().click()
  await expect(page.getByTestId('sentence')).toHaveText(/^(Until|All|Antminer|Whatsminer) ?.*\.$/)
  await expect(page.getByTestId('plan-chart').locator('canvas')).toBeVisible()
  await expect(page.getByTestId('expected-chart').locator('canvas')).toBeVisible()
  for (const g of site.groups) await expect(page.locator('.charts .legend').first()).toContainText(new RegExp(`${g.name} \\d`))
  await page.getByRole('button', { name: 'Table' }).click()
  expect(await page.getByTestId('plan-table').locator('tbody tr').count()).toBeGreaterThan(10)
  await page.getByRole('link', { name: 'Site' }).click()
  await expect(page.getByTestId('next-change')).not.toBeEmpty()
})

test('the forecast and the signals answer, and no list of theirs is null', async ({ page }) => {
  const f = (await (await page.request.get('/api/v1/forecast')).json()) as ForecastView
  const s = (await (await page.request.get('/api/v1/signals')).json()) as SignalsView
  for (const list of [f.steps, f.notes, s.sources, s.signals, s.refused]) expect(Array.isArray(list)).toBe(true)
  for (const x of f.steps) if (x.p10_usd_mwh != null && x.p90_usd_mwh != null) expect(x.p10_usd_mwh).toBeLessThanOrEqual(x.p90_usd_mwh)
  await page.evaluate(() => (location.hash = '#/signals'))
  await expect(page.getByTestId('asks')).toHaveText(/\.$/)
  await expect(page.getByRole('region', { name: 'Sources' })).toBeVisible()
})
