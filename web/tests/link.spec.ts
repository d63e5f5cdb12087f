import { expect, open, test } from './site'

test('a lost connection is said, greys the values, and mends by itself', async ({ page, url, mock, allowed }) => {
  allowed.push(/ERR_EMPTY_RESPONSE|ERR_CONNECTION|Failed to load resource|ERR_INCOMPLETE_CHUNKED/)
  await open(page, url)
  await expect(page.getByText('Live', { exact: true })).toBeVisible()
  mock.down(3000)
  await expect(page.getByTestId('lost')).toContainText(/Connection lost, values from \d\d:\d\d:\d\d\./)
  await expect(page.locator('main')).toHaveClass(/stale/)
  await expect(page.getByTestId('safety')).toContainText('Not known')
  await expect(page.getByTestId('lost')).toHaveCount(0, { timeout: 10_000 })
  await expect(page.locator('main')).not.toHaveClass(/stale/)
  const clock = await page.getByTestId('clock').textContent()
  await expect(page.getByTestId('clock')).not.toHaveText(clock!)
})

test('without the stream the values are polled, and the page says so', async ({ page, url, allowed }) => {
  allowed.push(/status of 503/)
  await page.route('**/api/v1/events', (r) => r.fulfill({ status: 503, body: '' }))
  await open(page, url)
  await expect(page.getByText('Polling', { exact: true })).toBeVisible()
  const clock = await page.getByTestId('clock').textContent()
  await expect(page.getByTestId('clock')).not.toHaveText(clock!, { timeout: 8000 })
  await expect(page.getByTestId('lost')).toHaveCount(0)
})

test('an unknown value is a dash and never a zero', async ({ page, url }) => {
  await page.route('**/api/v1/live', async (r) => {
    const v = await (await r.fetch()).json()
    await r.fulfill({ json: { ...v, price_usd_mwh: null, profit_usd_hour: null, marginal_usd_mwh: null, mode: 'hold' } })
  })
  await page.route('**/api/v1/events', (r) => r.fulfill({ contentType: 'text/event-stream', body: ': nothing yet\n\n' }))
  await open(page, url)
  await expect(page.getByTestId('price')).toHaveText('–')
  await expect(page.getByTestId('profit')).toHaveText('–')
  await expect(page.getByText('Not optimising')).toBeVisible()
})
