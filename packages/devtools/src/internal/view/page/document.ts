/** The document of the page. `app.ts` fills it. */
export const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Pools</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<script type="module" src="/app.js"></script>
</head>
<body>
<a class="skip" href="#pools">Skip to the pools</a>
<header>
<h1><span id="name">Pools</span></h1>
<dl id="program" class="facts"></dl>
<div class="controls">
<span id="status" role="status">Connecting …</span>
<button id="pause" type="button" aria-pressed="false">Pause</button>
</div>
</header>
<main id="pools" tabindex="-1">
<noscript>This page needs JavaScript. <a href="/snapshot">The numbers as JSON</a> do not.</noscript>
</main>
</body>
</html>
`
