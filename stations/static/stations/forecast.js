// The forecast of a station's page. It stands while the station is open and its feed good, and each time until it is past.

/**
 * Show the forecast, or why there is none. `isLive`: the figures beside it are those of now. `now`: the time by the
 * server's clock.
 */
export function showForecast(isLive, now) {
  const forecast = document.getElementById("forecast-now");
  if (!forecast) return; // the server's page says why
  for (const row of forecast.querySelectorAll("tbody tr")) row.hidden = new Date(row.querySelector("time").dateTime) <= now;
  forecast.hidden = !isLive || !forecast.querySelector("tbody tr:not([hidden])");
  const none = document.getElementById("forecast-none");
  none.textContent = isLive ? forecast.dataset.past : forecast.dataset.none;
  none.hidden = !forecast.hidden;
}
