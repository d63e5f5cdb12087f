// Package forecast owns what is expected of power prices: the mean that a decision weighs
// against what a MWh is worth, and quantiles for people, for the coming interval and the
// hours after it, learned as prices become known and from nothing else.
//
// It never reads a clock, the network or the disk, and never uses a price before it was told
// of it: what it says at a time rests on the calls made until then.
//
// How it works, and where that comes from:
//
//   - Prices are heavy-tailed, so all fitting is done on asinh(price/12 $/MWh), which is a
//     logarithm for high prices and a line around zero (Uniejewski, Weron, Ziel: "Variance
//     stabilizing transformations for electricity spot price forecasting", IEEE Transactions
//     on Power Systems 33, 2018).
//   - The coming interval is the mean of linear models of different features (newest prices,
//     yesterday's hours around it, the mean of each hour of the day, day-ahead prices),
//     each fitted by recursive least squares that forgets slowly. Observations count more the
//     nearer their forecast was to the price of interest, at which the site decides.
//   - The mean of a transformed forecast is not the forecast of the mean: each model's past
//     errors, at like forecasts and like hours, are put back before transforming (Duan's smearing
//     estimate, Journal of the American Statistical Association 78, 1983).
//   - Later intervals come from a fifth model without the newest prices, plus the share of the
//     present deviation from it that was seen to last so long.
//
// Concurrency: a Forecaster belongs to one goroutine at a time.
package forecast
