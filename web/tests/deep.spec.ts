import { expect, open, test } from './site'
import type { LimitView, LiveView, SiteView } from '../src/lib/types'

test('in a tree of four levels every name is whole and nothing leaves its box', async ({ page, url }) => {
  await page.route('**/api/v1/site', async (r) => {
    const s = (await (await r.fetch()).json()) as SiteView
    const tx = { id: 'tx-1', name: 'Transformer 1', parent: 'connection', limit_w: 2e6, has_meter: true }
    const long: Record<string, string> = { s21: 'Antminer S21', m60s: 'Whatsminer M60S' }
    await r.fulfill({ json: { ...s, nodes: [s.nodes[0], tx, ...s.nodes.slice(1).map((n) => ({ ...n, parent: n.id === 'ai' ? n.parent : 'tx-1' }))], groups: s.groups.map((g) => ({ ...g, name: long[g.id] ?? g.name })) } })
  })
  await open(page, url)
  await expect(page.locator('[data-key="node:tx-1"]')).toContainText('Transformer 1')
  const cut = await page.locator('[data-key]').evaluateAll((boxes) =>
    boxes.flatMap((b) => [...b.querySelectorAll('b, .value, .last, .right, .of, em')].filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' || e.getBoundingClientRect().right > b.getBoundingClientRect().right).map((e) => e.textContent)))
  expect(cut).toEqual([])
})

test('a limit of every day is listed once a day and not cleared here; the one in force is said', async ({ page, url }) => {
  const day = (from: string, to: string, active: boolean): LimitView => ({ id: 'file-1', node: 'connection', power_w: 2e6, from, to, by: 'site file', note: 'grid emergency', active, manual: false })
  await page.route('**/api/v1/live', async (r) => {
    const v = (await (await r.fetch()).json()) as LiveView
    await r.fulfill({ json: { ...v, limits: [day('2026-02-03T22:00:00Z', '2026-02-03T23:30:00Z', true), day('2026-02-04T22:00:00Z', '2026-02-04T23:30:00Z', false)] } })
  })
  await page.route('**/api/v1/events', (r) => r.fulfill({ contentType: 'text/event-stream', body: ': nothing yet\n\n' }))
  await open(page, url)
  await expect(page.getByTestId('limit-line')).toHaveCount(1)
  await expect(page.getByTestId('limit-line')).toContainText('not above 2.00 MW until 18:30')
  await page.getByRole('button', { name: 'Limit', exact: true }).click()
  const d = page.getByRole('dialog', { name: 'Limit' })
  await expect(d.locator('.limit')).toHaveCount(2)
  await expect(d.locator('.limit').nth(1)).toContainText('from Wed 4 Feb 17:00 to 18:30')
  await expect(d.getByRole('button', { name: /^Clear/ })).toHaveCount(0)
})
