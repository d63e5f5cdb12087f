import { expect, open, test } from './site'

test.describe('halls', () => {
  test('one cell a miner, and the legend counts them all', async ({ page, url, mock }) => {
    await open(page, url)
    const first = page.getByTestId('map-s21')
    await first.scrollIntoViewIfNeeded()
    for (const g of mock.site.groups) await expect(page.getByTestId(`map-${g.id}`)).toHaveAttribute('data-cells', String(g.devices))
    const counts = await page.locator('section[aria-label="Halls"] .legend b').allTextContents()
    expect(counts.reduce((s, n) => s + Number(n), 0)).toBe(600)
    // The canvas has as many rows of pixels as the cells need.
    const box = (await first.boundingBox())!
    const columns = Number(await first.getAttribute('data-columns'))
    const pitch = Number(await first.getAttribute('data-pitch'))
    expect(box.height).toBe(Math.ceil(240 / columns) * pitch)
  })

  test('hovering tells, clicking says why, holding asks first', async ({ page, url, mock }) => {
    await open(page, url)
    const map = page.getByTestId('map-m60s')
    await map.scrollIntoViewIfNeeded()
    await expect(map).toHaveAttribute('data-cells', '200')
    const pitch = Number(await map.getAttribute('data-pitch'))
    await map.hover({ position: { x: pitch * 2.5, y: pitch * 0.5 } })
    await expect(page.locator('.tip')).toContainText('m60s-003')
    await expect(page.locator('.tip')).toContainText('TH/s')
    await map.click({ position: { x: pitch * 2.5, y: pitch * 0.5 } })

    const drawer = page.getByRole('dialog', { name: 'm60s-003' })
    await expect(drawer.locator('li')).toHaveCount(6)
    await expect(drawer).toContainText('confirming reading')

    await drawer.getByRole('button', { name: 'Hold asleep' }).click()
    await expect(drawer).toContainText('Hold asleep?')
    const sent = () => mock.requests.filter((r) => r.path.startsWith('/holds'))
    expect(sent()).toEqual([])
    await drawer.getByRole('button', { name: 'No, leave it' }).click()
    expect(sent()).toEqual([])

    await drawer.getByRole('button', { name: 'Hold asleep' }).click()
    await drawer.getByLabel('Note for the journal').fill('fan replaced')
    await drawer.getByRole('button', { name: 'Yes, hold asleep' }).click()
    await expect(drawer).toContainText('Held asleep.')
    expect(sent()).toEqual([{ method: 'POST', path: '/holds', body: { devices: ['m60s-003'], mode: 'sleep', note: 'fan replaced' }, guard: '1' }])

    await drawer.getByRole('button', { name: 'Release' }).click()
    await drawer.getByRole('button', { name: 'Yes, release' }).click()
    await expect(drawer).toContainText('Released.')
    expect(sent()[1]).toEqual({ method: 'DELETE', path: '/holds/m60s-003', body: undefined, guard: '1' })
    await page.keyboard.press('Escape')
    await expect(drawer).toHaveCount(0)
  })

  test('the keyboard goes through the cells', async ({ page, url }) => {
    await open(page, url)
    const map = page.getByTestId('map-s21')
    await map.scrollIntoViewIfNeeded()
    await expect(map).toHaveAttribute('data-cells', '240')
    await map.focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await expect(page.locator('.tip')).toContainText('s21-002')
    await page.keyboard.press('Enter')
    await expect(page.getByRole('dialog', { name: 's21-002' })).toBeVisible()
  })

  test('the feed filters by kind and opens the device at that moment', async ({ page, url }) => {
    await open(page, url)
    await page.getByLabel('Show').selectOption('quarantine')
    const feed = page.locator('section[aria-label="Decisions"] li')
    await expect(feed).toHaveCount(1)
    await feed.getByRole('button', { name: 'm60s-058' }).click()
    const drawer = page.getByRole('dialog', { name: 'm60s-058' })
    await expect(drawer).toContainText('Why, at 16:00:00')
    await expect(drawer.locator('li.open')).toContainText('not yet')
    await drawer.getByRole('button', { name: 'Show why it is so now' }).click()
    await expect(drawer).toContainText('Why, now')
  })
})
