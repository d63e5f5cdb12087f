import { expect, open, test } from './site'
import type { Page } from '@playwright/test'

const at = (time: string) => ({ siteOptions: { speed: 1, start: `2026-02-03T${time}:00-05:00` } })

async function plan(page: Page, url: string): Promise<void> {
  await open(page, url)
  await page.getByRole('link', { name: 'Schedule' }).first().click()
  await expect(page.getByTestId('plan-chart').locator('canvas')).toBeVisible()
}

/** The colours, with their opacity, at places of a chart told as shares of its width and height. */
function colours(page: Page, id: string, ...places: [number, number][]): Promise<number[][]> {
  return page
    .getByTestId(id)
    .locator('canvas')
    .evaluate((c, places) => {
      const from = c as HTMLCanvasElement
      const k = new OffscreenCanvas(from.width, from.height).getContext('2d', { willReadFrequently: true })!
      k.drawImage(from, 0, 0)
      return places.map(([x, y]) => [...k.getImageData(Math.round(from.width * x), Math.round(from.height * y), 1, 1).data])
    }, places)
}

test.describe('the schedule, in the early afternoon', () => {
  test.use(at('14:23'))

  test('says in a sentence what is planned and why, and how good that is', async ({ page, url }) => {
    await plan(page, url)
    await expect(page).toHaveTitle(/^Schedule · Millbrook Station/)
    await expect(page.getByTestId('sentence')).toHaveText(
      'Until 16:30 all miners run. Then S19j Pro, Braiins rests until 17:15: the limit of 2.90 MW leaves no room. Also M60S runs at 70 %. From 17:30 all miners rest until 19:00: $212/MWh expected against their $70 to $116, then a coincident peak may add $96/MWh.',
    )
    await expect(page.getByTestId('quality')).toHaveText('within 0.006 % of the best there can be')
    await expect(page.getByText('no plan for the same prices could earn more than $11,904')).toBeHidden()
    await page.getByTestId('quality').press('Enter')
    await expect(page.getByText('no plan for the same prices could earn more than $11,904')).toBeVisible()
    for (const id of ['not-followed', 'fallback', 'lacking', 'plan-note']) await expect(page.getByTestId(id)).toHaveCount(0)
  })

  test('draws what was, what is planned and the limit; a step is read with the keys', async ({ page, url }) => {
    await plan(page, url)
    await expect(page.getByTestId('when')).toHaveText('now to 14:25, planned')
    // The tenant's blue stands below both sides of now, paler in the hours ahead.
    const [was, will, above] = await colours(page, 'plan-chart', [0.12, 0.85], [0.7, 0.85], [0.36, 0.3])
    for (const c of [was!, will!]) expect(c[2]!).toBeGreaterThan(c[0]! + 20)
    expect([was![3]!, will![3]!]).toEqual([0xb8, 0x66])
    expect(above![3]!).toBeLessThan(90) // at 18:00 all miners rest

    const legend = page.locator('.charts .legend').first()
    await page.getByRole('application').focus()
    await page.keyboard.press('End')
    await expect(page.getByTestId('when')).toHaveText(/^Wed 4 Feb 13:00 to 14:00, planned$/)
    await page.keyboard.press('Home')
    await expect(page.getByTestId('when')).toHaveText(/^08:25, as it was$/)
    await expect(legend).toContainText(/S21 0\.\d\d/)
    await expect(legend).toContainText(/meter 3\.\d\d/)
    await page.keyboard.press('Escape')
    await expect(page.getByTestId('when')).toHaveText('now to 14:25, planned')
  })

  test('tells the figures of the step under the pointer, and keeps it there', async ({ page, url }) => {
    await plan(page, url)
    const box = (await page.getByTestId('plan-chart').boundingBox())!
    const x = (await page.getByTestId('plan-chart').locator('.u-over').boundingBox())!
    // 18:30 lies 10 h after the first hour of history, of 30 h in all.
    await page.mouse.move(x.x + (x.width * (10 + 7 / 60)) / 29.62, box.y + 120)
    await expect(page.getByTestId('when')).toHaveText('18:30 to 18:45, planned')
    await expect(page.locator('.charts .legend').first()).toContainText('S19j Pro, Braiins 0.00')
    await expect(page.locator('.charts .legend').last()).toContainText('peak risk 24 %, adds $96')
    await expect(page.locator('.charts .legend').last()).toContainText('expected $34.11')
    await page.waitForResponse((r) => r.url().includes('/forecast'))
    await page.waitForTimeout(300)
    await expect(page.getByTestId('when')).toHaveText('18:30 to 18:45, planned')
  })

  test('has a table of the same figures', async ({ page, url }) => {
    await plan(page, url)
    await page.getByRole('button', { name: 'Table' }).click()
    const row = page.getByTestId('plan-table').locator('tbody tr').filter({ has: page.getByRole('rowheader', { name: '18:30', exact: true }) })
    await expect(row).toHaveClass(/high/)
    await expect(row.getByRole('cell').nth(0)).toHaveText('34.11')
    await expect(row.getByRole('cell').nth(3)).toHaveText('$96')
    await expect(page.getByRole('columnheader')).toHaveCount(13)
    const n = await page.getByTestId('plan-table').locator('tbody tr').count()
    await page.getByRole('button', { name: '6 h', exact: true }).click()
    expect(await page.getByTestId('plan-table').locator('tbody tr').count()).toBeLessThan(n)
    await page.getByRole('button', { name: 'Picture' }).click()
    await expect(page.getByTestId('plan-chart').locator('canvas')).toBeVisible()
  })

  test('lists the changes in order, those that come together as one', async ({ page, url, mock }) => {
    mock.curtails = true
    await plan(page, url)
    const rows = page.getByRole('region', { name: 'Planned changes' }).getByRole('listitem')
    await expect(rows.nth(0)).toContainText('S19j Pro, Braiins rests until 17:15')
    await expect(rows.nth(3)).toContainText('Helix AI gives back 300 kW until 18:15')
    await expect(rows.nth(3)).toContainText('as the contract allows')
    await expect(rows.nth(4)).toContainText('all miners rest until 19:00')
    const times = await rows.locator('time').evaluateAll((e) => e.map((t) => (t as HTMLTimeElement).dateTime))
    expect(times).toEqual([...times].sort())
  })

  test('says when it fell back, and when a reserve that is sold cannot be held', async ({ page, url, mock }) => {
    mock.planned = 'lp'
    mock.oversold = true
    await plan(page, url)
    await expect(page.getByTestId('fallback')).toContainText('Its relaxation is used')
    await expect(page.getByTestId('plan-note')).toContainText('gave no plan within its bound on work')
    await expect(page.getByTestId('lacking').first()).toHaveText('Reserve RRS: up to 400 kW of what is sold cannot be held between 18:00 and 19:00.')
    await expect(page.getByTestId('quality')).toHaveText('relaxed, within 1.80 %')
    await page.getByRole('link', { name: 'Site' }).click()
    await expect(page.getByTestId('next-change')).toContainText('Planned 16:30')
  })

  test('says when it is not followed, also on the first screen', async ({ page, url, mock }) => {
    mock.planned = 'static'
    await plan(page, url)
    await expect(page.getByTestId('not-followed')).toHaveText('Not followed No price has come for 15 min: all flexible load rests until one does.')
    await expect(page.getByTestId('sentence')).toHaveText(/^All miners rest until /)
    await expect(page.getByText(/^made .*, earns \$9,870$/)).toBeVisible()
    await page.getByRole('link', { name: 'Site' }).click()
    await expect(page.getByTestId('next-change')).toContainText('The plan is not followed. No price has come for 15 min')
  })

  test('without a plan shows what was and what prices are expected, and no figure of a plan', async ({ page, url, mock }) => {
    mock.planned = 'off'
    await plan(page, url)
    await expect(page.getByTestId('sentence')).toHaveText('Nothing is planned.')
    await expect(page.getByTestId('not-followed')).toContainText('switched off in the site file')
    await expect(page.getByTestId('when')).toHaveText('now to 14:25, expected')
    await expect(page.locator('.charts .legend').last()).toContainText(/expected \$43/)
    await expect(page.locator('.charts')).not.toContainText('planned')
    await expect(page.getByTestId('quality')).toHaveCount(0)
    await page.getByRole('button', { name: 'Table' }).click()
    await expect(page.getByText('Nothing is planned.')).toHaveCount(2)
  })

  test('is led to from the first screen, which names the next change', async ({ page, url }) => {
    await open(page, url)
    const line = page.getByTestId('next-change')
    await expect(line).toContainText('S19j Pro, Braiins rests until 17:15')
    await line.getByRole('link').click()
    await expect(page.getByTestId('sentence')).toBeVisible()
  })

  test('keeps the last plan on the screen while the controller cannot say a new one', async ({ page, url, allowed }) => {
    allowed.push(/status of 503/)
    await plan(page, url)
    await page.route('**/api/v1/schedule', (r) => r.fulfill({ status: 503, json: { detail: 'the planner is starting' } }))
    await expect(page.getByRole('alert').filter({ hasText: 'the planner is starting' })).toBeVisible({ timeout: 16_000 })
    await expect(page.getByTestId('sentence')).toContainText('Until 16:30')
  })
})

test.describe('signals, during an emergency', () => {
  test.use(at('16:41'))

  test('are said on every screen, for as long as they hold', async ({ page, url }) => {
    await open(page, url)
    const banner = page.getByRole('alert').filter({ has: page.getByTestId('emergency') })
    await expect(banner).toHaveText(/^Grid emergency Grid connection not above 2\.90 MW since 16:30, until 17:15\. utility: grid emergency: reserves are short/)
    for (const p of ['miners', 'report', 'schedule']) {
      await page.goto(`${url}/#/${p}`)
      await expect(banner).toBeVisible()
    }
    await banner.getByRole('link', { name: 'Signals' }).click()
    await expect(page.getByTestId('asks')).toHaveText('Grid connection not above 2.90 MW until 17:15. Next, from 17:30: $240.00/MWh.')
  })

  test('show which holds, which is overruled and by what, and what comes', async ({ page, url }) => {
    await open(page, url)
    await page.goto(`${url}/#/signals`)
    const of = (key: string) => page.locator(`[data-signal="${key}"]`)
    await expect(of('utility/dr-7')).toContainText('in force')
    await expect(of('desk/target')).toContainText('Overruled by utility’s limit dr-7: stricter')
    await expect(of('desk/target').locator('.tag')).toHaveText('overruled')
    await expect(of('desk/rrs')).toContainText('400 kW able to drop within 10 s for 1 h, at $12.00 per MW and hour')
    await expect(of('desk/rrs').locator('.tag')).toHaveText('to come')
    const keys = await page.locator('[data-signal]').evaluateAll((e) => e.map((x) => x.getAttribute('data-signal')))
    expect(keys).toEqual(['utility/dr-7', 'desk/target', 'utility/cpp-2', 'desk/rrs'])
    // The reserve's bar is four hours of thirty, and begins 79 minutes after now.
    const track = (await of('desk/rrs').locator('.track').boundingBox())!
    const bar = (await of('desk/rrs').locator('.bar').boundingBox())!
    const line = (await of('desk/rrs').locator('.now').boundingBox())!
    expect(bar.width / track.width).toBeCloseTo(4 / 30, 2)
    expect((bar.x - line.x) / track.width).toBeCloseTo(79 / 60 / 30, 2)
  })

  test('name each source with its health and what holds when it is lost', async ({ page, url }) => {
    await open(page, url)
    await page.goto(`${url}/#/signals`)
    const of = (name: string) => page.locator(`[data-source="${name}"]`)
    await expect(of('utility')).toContainText(/OpenADR.*heard 1\d s ago.*asks 2 signals/)
    await expect(of('utility')).toContainText('Lost after 5 min, then: what it said last holds until each ends')
    await expect(of('campus')).toContainText(/lost 43 min ago/)
    await expect(of('campus')).toContainText('Lost after 10 min: the connection is limited to 3.6 MW')
    await expect(of('campus')).toContainText('the certificate has expired')
    await expect(of('rtu')).toContainText('not heard yet')
    await expect(of('rtu')).toContainText('Its silence is no loss')
    await expect(page.getByRole('region', { name: 'Not taken' })).toContainText('a target of 140 is above 100; it was not taken')
  })

  test('are on the first screen, a limit once only', async ({ page, url }) => {
    await open(page, url)
    await expect(page.getByTestId('limit-line')).toHaveCount(1)
    const lines = page.getByTestId('signal-line')
    await expect(lines).toHaveCount(2)
    await expect(lines.first()).toContainText('Price to come from 17:30 until 18:15 $240.00/MWh critical peak price, utility')
  })

  test('that last until they are taken back are open to the right; texts from outside are texts', async ({ page, url, mock }) => {
    const now = mock.now()
    mock.asks = [{ source: 'campus', id: 'old', kind: 'limit', node: 'connection', power_w: 1e6, from: now - 60, to: null, released: true }, { source: 'rtu', id: '<b>x</b>', kind: 'limit', node: 'hall-a', power_w: 0, from: now - 60, to: null, note: '<img src=x onerror=alert(1)>' }]
    await open(page, url)
    await page.goto(`${url}/#/signals`)
    const row = page.locator('[data-signal="rtu/<b>x</b>"]')
    await expect(row).toContainText('Hall A not above 0 W')
    await expect(row).toContainText('until it is taken back')
    await expect(row).toContainText('<img src=x onerror=alert(1)>')
    await expect(row.locator('.bar')).toHaveClass(/open/)
    const released = page.locator('[data-signal="campus/old"]')
    await expect(released.locator('.tag')).toHaveText('not in force')
    await expect(released).toContainText('Not in force: its source is lost, and what it said is released')
  })
})

test.describe('signals', () => {
  test.use(at('23:30'))
  test('that have ended stay for a while and are said to have', async ({ page, url }) => {
    await open(page, url)
    await expect(page.getByTestId('emergency')).toHaveCount(0)
    await page.goto(`${url}/#/signals`)
    await expect(page.getByTestId('asks')).toHaveText('The grid asks for nothing now.')
    await expect(page.locator('[data-signal="desk/rrs"]')).toContainText('ended')
    await expect(page.locator('[data-signal="desk/rrs"]')).toContainText('18:00 to 22:00')
  })

  test('of a site with no way for the grid to ask say what to do', async ({ page, url }) => {
    await page.route('**/api/v1/signals', (r) => r.fulfill({ json: { at: '2026-02-04T04:30:00Z', sources: [], signals: [], refused: [] } }))
    await open(page, url)
    await page.goto(`${url}/#/signals`)
    await expect(page.getByTestId('asks')).toHaveText('The grid asks for nothing now.')
    await expect(page.getByRole('region', { name: 'Sources' })).toContainText('No way for the grid to ask is set up')
  })
})

test.describe('a controller that does not look ahead', () => {
  test.use({ siteOptions: { hasAhead: false } })
  test('has no such page and is asked for none of it', async ({ page, url }) => {
    const asked: string[] = []
    page.on('request', (r) => asked.push(new URL(r.url()).pathname))
    await open(page, url)
    await page.waitForTimeout(1500)
    await expect(page.getByRole('link', { name: 'Schedule' })).toHaveCount(0)
    await expect(page.getByTestId('next-change')).toHaveCount(0)
    expect(asked.filter((p) => /schedule|signals|forecast/.test(p))).toEqual([])
  })
})
