import { expect, open, test } from './site'

test.describe('the screen', () => {
  test('answers the first look: safe, why, how much', async ({ page, url }) => {
    await open(page, url)
    await expect(page.getByTestId('safety')).toContainText('Within limits')
    await expect(page.getByTestId('headline')).not.toBeEmpty()
    await expect(page.getByTestId('site-power')).toHaveText(/^\d+\.\d\d MW$/)
    await expect(page.getByTestId('price')).toHaveText(/^[−]?\$\d/)
    await expect(page.getByTestId('profit')).toHaveText(/^[−]?\$\d/)
  })

  test('live values move', async ({ page, url }) => {
    await open(page, url)
    const clock = await page.getByTestId('clock').textContent()
    const power = await page.locator('[data-key="tenant:helix"] .big').textContent()
    await expect(page.getByTestId('clock')).not.toHaveText(clock!)
    await expect(page.locator('[data-key="tenant:helix"] .big')).not.toHaveText(power!, { timeout: 10_000 })
    await expect(page.getByText('Live', { exact: true })).toBeVisible()
  })

  test('the diagram has every node, group and tenant, with its MW', async ({ page, url, mock }) => {
    await open(page, url)
    const keys = [...mock.site.nodes.map((n) => `node:${n.id}`), ...mock.site.groups.map((g) => `group:${g.id}`), ...mock.site.tenants.map((t) => `tenant:${t.id}`)]
    for (const k of keys) await expect(page.locator(`[data-key="${k}"] .big`)).toHaveText(/^\d+\.\d\d$/)
    await expect(page.locator('[data-key]')).toHaveCount(keys.length)
    await expect(page.locator('svg .tap')).toHaveCount(keys.length - 1)
  })

  test('the merit order shows the clearing point inside the frame, and its blocks', async ({ page, url }) => {
    await open(page, url)
    const frame = (await page.locator('section[aria-label="Merit order"] svg').boundingBox())!
    const point = (await page.getByTestId('clearing').boundingBox())!
    expect(point.x).toBeGreaterThan(frame.x + 46)
    expect(point.x).toBeLessThan(frame.x + frame.width)
    expect(point.y).toBeGreaterThan(frame.y)
    await expect(page.locator('.block')).toHaveCount(16)
    await expect(page.getByText('penalty $10,000/MWh')).toBeVisible()
    await expect(page.getByTestId('cleared')).toContainText(/MW cleared at .+, limit/)

    await page.locator('section[aria-label="Merit order"] svg').focus()
    await page.keyboard.press('ArrowRight')
    await expect(page.locator('section[aria-label="Merit order"] .read')).toContainText('Helix AI firm')
  })

  test('the last day draws three charts and changes its range', async ({ page, url }) => {
    await open(page, url)
    for (const id of ['price-chart', 'load-chart', 'earn-chart']) await expect(page.getByTestId(id).locator('canvas')).toBeVisible()
    const asked = page.waitForRequest((r) => r.url().includes('/history') && r.url().includes('step=10'))
    await page.getByRole('button', { name: '1 h', exact: true }).click()
    await asked
    await expect(page.getByRole('heading', { name: 'Last hour' })).toBeVisible()
  })

  test('the report ties to the meter and goes to the day before', async ({ page, url }) => {
    await open(page, url)
    await page.getByRole('link', { name: 'Report' }).click()
    const rows = page.locator('tbody tr')
    await expect(rows).toHaveCount(4)
    await expect(page.getByText('The day is not complete')).toBeVisible()
    await page.getByRole('button', { name: 'Day before' }).click()
    await expect(page.getByText('The day is not complete')).toHaveCount(0)
    const number = async (s: string) => Number((await page.locator(s).textContent())!.replace(/[^\d.]/g, ''))
    const halls = await number('tfoot tr:first-child .num >> nth=0')
    const rest = await number('tfoot .rest .num >> nth=0')
    expect(halls + rest).toBeCloseTo(await number('dl div:nth-child(4) dd'), 1)
  })
})

test.describe('a large site', () => {
  test.use({ siteOptions: { extra: 26 } })
  test('thirty nodes are drawn, and a missing meter is said', async ({ page, url, mock }) => {
    await open(page, url)
    expect(mock.site.nodes.length).toBeGreaterThanOrEqual(30)
    await expect(page.locator('[data-key^="node:"]')).toHaveCount(mock.site.nodes.length)
    await expect(page.getByTestId('safety')).toContainText('Meter missing')
    await expect(page.locator('[data-key="node:c-2"]')).toContainText('meter missing')
    // No two boxes may cover each other.
    const boxes = await page.locator('[data-key]').evaluateAll((els) => els.map((e) => e.getBoundingClientRect().toJSON() as DOMRect))
    const covers = (a: DOMRect, b: DOMRect) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1
    const clashes = boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => covers(a, b)))
    expect(clashes).toEqual([])
  })
})
