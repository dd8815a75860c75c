/* What the dashboard does: it listens to /api/v1/events for channels, and asks for the rest while that is looked at.
   Whatever comes from the daemon is put into the page as text, never as HTML. */
"use strict";
const $ = id => document.getElementById(id);
const MOST_ROWS = 200, POINTS = 60, STILL_S = 5;
const channels = new Map(); // name → {row, last (of the tick before), ticks (measured), history: [[in, out, shed]…], rates, moved (when), element}
let totals = null, lastTick = null, synced = false, view = "channels", detail = null;

function element(tag, properties = {}, ...children) {
	const made = Object.assign(document.createElement(tag), properties);
	made.append(...children);
	return made;
}
const cell = (label, content, properties) => { const made = element("td", properties, content); if (label) made.dataset.label = label; return made; };
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const number = n => n < 10000 ? String(Math.round(n)) : n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + "k" : (n / 1e6).toFixed(1) + "M";
const rate = n => n === 0 ? "0" : n < 10 ? n.toFixed(1) : number(n);
const bytes = n => n < 1024 ? n + " B" : n < 1 << 20 ? (n / 1024).toFixed(0) + " KiB" : n < 1 << 30 ? (n / (1 << 20)).toFixed(1) + " MiB" : (n / (1 << 30)).toFixed(1) + " GiB";
/* The two largest units, so that it changes while it is looked at. */
function age(ms) {
	if (ms === undefined) return "–";
	const s = Math.max(0, Math.floor(ms / 1000)), two = (n, unit, small, smallUnit) => `${n} ${unit}` + (small ? ` ${small} ${smallUnit}` : "");
	if (s < 1) return "now";
	if (s < 60) return s + " s";
	if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
	return s < 86400 ? two(Math.floor(s / 3600), "h", Math.floor(s / 60) % 60, "min") : two(Math.floor(s / 86400), "d", Math.floor(s / 3600) % 24, "h");
}
/* An age counts up by itself, and what is left of a time down, however seldom the daemon is asked. */
const counting = (ms, direction) => countFrom(element("span"), ms, direction);
function countFrom(node, ms, direction = 1) {
	node.dataset.counts = direction; node.dataset.zero = performance.now() - direction * ms;
	setText(node, age(ms));
	return node;
}
function stopCounting(node, text) { delete node.dataset.counts; setText(node, text); }
setInterval(() => document.querySelectorAll("[data-counts]").forEach(node => setText(node, age((performance.now() - node.dataset.zero) * node.dataset.counts))), 1000);
const shedOf = row => row.dropped + row.evicted;

async function ask(method, path, body) {
	const options = {method, cache: "no-store"};
	if (method !== "GET") { options.headers = {"Content-Type": "application/json"}; options.body = body === undefined ? undefined : JSON.stringify(body); }
	const response = await fetch(path, options), text = await response.text();
	const answer = text ? JSON.parse(text) : {status: response.headers.get("Millrace-Status")};
	if (!response.ok) throw new Error(answer.message || answer.status);
	return answer;
}
const pathOf = name => "/api/v1/channels/" + encodeURIComponent(name);
let sayTimer;
function say(text) { $("said").textContent = text; clearTimeout(sayTimer); sayTimer = setTimeout(() => { $("said").textContent = ""; }, 5000); }

/* -- What the daemon tells -- */

function listen() {
	const source = new EventSource("/api/v1/events");
	const on = (name, handle) => source.addEventListener(name, event => handle(JSON.parse(event.data)));
	source.onerror = () => { $("state").className = "bad"; setText($("state"), "no connection; trying again…"); };
	on("reset", () => { for (const one of channels.values()) one.element?.remove(); channels.clear(); synced = false; lastTick = null; });
	on("rows", rows => rows.forEach(keep));
	on("gone", names => names.forEach(name => { channels.get(name)?.element?.remove(); channels.delete(name); }));
	on("synced", () => { synced = true; draw(); if (detail) drawDetail(); });
	on("tick", tick);
}
function keep(row) {
	const one = channels.get(row.channel);
	row.at = performance.now();
	if (!one) channels.set(row.channel, {row, last: null, ticks: 0, history: null, rates: [0, 0, 0], moved: row.at});
	else one.row = row;
}
/* A row without news is as it was, but for its ages. */
const oldest = (row, side) => row[`oldest_${side}_ms`] === undefined ? undefined : row[`oldest_${side}_ms`] + performance.now() - row.at;
/* What a channel did between two ticks. Before the second there is nothing to be measured: what came before was not seen. */
function measure(one, seconds) {
	const {row, last} = one;
	one.last = row;
	one.rates = [0, 0, 0];
	if (!last || !seconds) return;
	const moves = [row.accepted - last.accepted, row.taken - last.taken, shedOf(row) - shedOf(last)].map(n => Math.max(0, n));
	one.rates = moves.map(n => n / seconds);
	if (moves[0] || moves[1]) one.moved = performance.now();
	/* Most channels of many never move: a history begins with the first move, and with the quiet that was seen before it. */
	if (moves.some(n => n > 0) && !one.history) one.history = Array.from({length: Math.min(one.ticks, POINTS - 1)}, () => [0, 0, 0]);
	if (one.history && one.history.push(one.rates) > POINTS) one.history.shift();
	one.ticks++;
}
function tick(now) {
	const seconds = lastTick ? (now.now_us - lastTick.now_us) / 1e6 : 0;
	totals = {...now, in: 0, out: 0, shed: 0, shedEver: 0, turn: lastTick && now.turns > lastTick.turns ? (now.turns_us - lastTick.turns_us) / (now.turns - lastTick.turns) : 0};
	for (const one of channels.values()) {
		measure(one, seconds);
		totals.in += one.rates[0]; totals.out += one.rates[1]; totals.shed += one.rates[2]; totals.shedEver += shedOf(one.row);
	}
	lastTick = now;
	$("state").className = now.draining ? "bad" : "live";
	setText($("state"), now.draining ? "draining: it will end" : "live · " + now.version);
	draw();
	if (view === "waiting" || !waiterTick--) { waiterTick = 4; lookAtWaiters(); }
	if (view === "taps") lookAtTaps();
	if (view === "work") lookAtWork();
	if (view === "clients") lookAtClients();
	if (view === "cluster" || (now.cluster && $("tab-cluster").hidden)) lookAtCluster();
	if (detail) drawDetail();
}
let waiterTick = 0;

/* -- Channels -- */

function trouble(one) {
	const {row, rates} = one, fill = row.capacity && row.kind !== "promise" && row.kind !== "sliding" ? (row.buffered + row.leased) / row.capacity : 0;
	return rates[2] * 1000 + row.parked_puts * 100 + (fill >= 1 ? 50 : fill * 10) + Math.log1p(rates[0] + rates[1]);
}
const orders = {
	trouble: trouble, name: () => 0, depth: one => one.row.buffered, rate: one => one.rates[0] + one.rates[1], shed: one => one.rates[2] * 1e6 + shedOf(one.row),
	oldest: one => Math.max(oldest(one.row, "put") ?? -1, oldest(one.row, "take") ?? -1),
};
function sparkline(one) {
	const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
	svg.setAttribute("viewBox", `0 0 ${POINTS - 1} 20`); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
	for (const name of ["in", "out", "shed"]) { const path = document.createElementNS("http://www.w3.org/2000/svg", "path"); path.setAttribute("class", "spark-" + name); svg.append(path); }
	return svg;
}
function drawSparkline(svg, history) {
	const most = Math.max(1, ...(history || []).flat());
	svg.setAttribute("class", history ? "" : "idle");
	[...svg.children].forEach((path, i) => {
		const points = (history || []).map((rates, x) => `${x + POINTS - history.length},${(19 - rates[i] / most * 18).toFixed(1)}`);
		const isThere = points.length > 0 && (i < 2 || history.some(rates => rates[2] > 0));
		/* A single point is a dash: a line of no length is not drawn. */
		path.setAttribute("d", !isThere ? i === 0 ? `M0,19H${POINTS - 1}` : "" : "M" + points.join("L") + (points.length > 1 ? "" : "h-.5"));
	});
}
function makeRow(one) {
	const name = one.row.channel, parts = one.parts = {};
	parts.name = element("button", {className: "link name", textContent: name, title: "Details of " + name});
	parts.kind = element("div", {className: "kind"});
	parts.bar = element("i"); parts.fill = element("span");
	parts.gauge = element("div", {className: "gauge"}, parts.bar, parts.fill);
	parts.gauge.setAttribute("role", "meter"); parts.gauge.setAttribute("aria-label", "Values in " + name); parts.gauge.setAttribute("aria-valuemin", "0");
	parts.spark = sparkline(); parts.rates = element("div");
	const waits = side => element("button", {className: "link", title: `Who waits to ${side}`});
	parts.puts = waits("put"); parts.takes = waits("take");
	parts.shed = cell("Shed", "", {className: "number"}); parts.oldest = cell("Oldest", "", {className: "number"});
	one.element = element("tr", {}, cell("", element("div", {}, parts.name, parts.kind), {className: "wide"}), cell("", parts.gauge, {className: "wide"}),
		cell("", element("div", {className: "flow"}, parts.spark, parts.rates), {className: "wide"}), parts.shed,
		cell("Puts wait", parts.puts, {className: "number"}), cell("Takes wait", parts.takes, {className: "number"}), parts.oldest);
	one.element.dataset.channel = name;
}
function drawRow(one) {
	if (!one.element) makeRow(one);
	const {row, rates, parts} = one, isFull = row.capacity > 0 && row.kind !== "promise" && row.buffered + row.leased >= row.capacity;
	const share = row.capacity ? Math.min(1, row.buffered / row.capacity) : 0;
	setText(parts.kind, row.kind + (row.durable ? " · durable" : "") + (row.ephemeral ? " · ephemeral" : "") + (row.closed ? " · closed" : ""));
	parts.kind.className = row.closed ? "closed" : "kind";
	parts.bar.style.width = share * 100 + "%"; parts.bar.className = share ? "" : "none";
	parts.gauge.className = isFull && row.kind !== "sliding" ? "gauge full" : "gauge";
	setText(parts.fill, (row.capacity ? `${number(row.buffered)} / ${number(row.capacity)}` : row.buffered ? number(row.buffered) : "no buffer") + (row.leased - (row.delayed || 0) ? ` + ${number(row.leased - (row.delayed || 0))} leased` : "") + (row.delayed ? ` + ${number(row.delayed)} delayed` : ""));
	parts.gauge.setAttribute("aria-valuemax", row.capacity || 1); parts.gauge.setAttribute("aria-valuenow", row.buffered); parts.gauge.setAttribute("aria-valuetext", parts.fill.textContent);
	drawSparkline(parts.spark, one.history);
	setText(parts.rates, `${rate(rates[0])} in · ${rate(rates[1])} out`);
	setText(parts.shed, shedOf(row) ? number(shedOf(row)) + (rates[2] ? ` (${rate(rates[2])}/s)` : "") : "0");
	parts.shed.className = "number " + (rates[2] ? "shed" : shedOf(row) ? "" : "quiet");
	for (const [button, n, isBad] of [[parts.puts, row.parked_puts, true], [parts.takes, row.parked_takes, false]]) { setText(button, number(n)); button.className = "link " + (n ? isBad ? "waits" : "" : "quiet"); }
	const since = Math.max(oldest(row, "put") ?? -1, oldest(row, "take") ?? -1);
	if (since < 0) stopCounting(parts.oldest, "–"); else countFrom(parts.oldest, since);
}
function draw() {
	if (!synced) return;
	drawTotals();
	const wanted = $("filter").value.toLowerCase(), by = orders[$("order").value], body = $("rows");
	let shown = [...channels.values()].filter(one => one.row.channel.toLowerCase().includes(wanted));
	const all = shown.length;
	const rank = new Map(shown.map(one => [one, by(one)]));
	shown.sort((a, b) => rank.get(b) - rank.get(a) || (a.row.channel < b.row.channel ? -1 : 1));
	shown = shown.slice(0, MOST_ROWS);
	/* Rows do not move under a pointer or the keyboard's focus. */
	const isHeld = body.matches(":hover") || body.contains(document.activeElement);
	const keptOnes = new Set(shown);
	for (const row of [...body.children]) { const one = channels.get(row.dataset.channel); if (!keptOnes.has(one)) { row.remove(); } }
	shown.forEach((one, i) => { drawRow(one); if (!one.element.parentNode) body.append(one.element); if (!isHeld && body.children[i] !== one.element) body.insertBefore(one.element, body.children[i]); });
	$("no-rows").hidden = all > 0;
	setText($("no-rows"), channels.size ? "No channel has that in its name." : "No channels yet.");
	setText($("more"), all > MOST_ROWS ? `${MOST_ROWS} of ${all} channels are shown: filter for others.` : "");
}
function drawTotals() {
	if (!totals) return;
	const items = [["Channels", number(totals.channels)], ["In / second", rate(totals.in)], ["Out / second", rate(totals.out)], ["Shed / second", rate(totals.shed), totals.shed > 0 && "shed"],
		["Requests wait", number(totals.parked)], ["Clients" + (totals.http_connections > 1 ? `, and ${totals.http_connections} HTTP` : ""), number(totals.connections)],
		["of " + bytes(totals.max_memory).replace(".0", ""), bytes(totals.value_bytes + totals.unsent_bytes)], ["Turn of the loop", totals.turn < 1000 ? totals.turn.toFixed(0) + " µs" : (totals.turn / 1000).toFixed(1) + " ms"]];
	const list = $("totals");
	while (list.children.length < items.length) list.append(element("li", {}, element("b"), element("span")));
	items.forEach(([label, value, kind], i) => { const item = list.children[i]; item.className = kind || ""; setText(item.firstChild, value); setText(item.lastChild, label); });
}

/* -- Who waits -- */

const seen = {put: new Map(), take: new Map()}; // channel → clients that were seen waiting to do it
const clientName = waiter => waiter.connection === undefined ? waiter.op === undefined ? "a client that has gone" : waiter.op === "tap" ? "tap" : "dead letter" : waiter.name ? `${waiter.name} (${waiter.connection})` : `client ${waiter.connection}`;
const armsOf = waiter => waiter.arms.map(arm => arm.put !== undefined ? ["put", arm.put] : ["take", arm.take]);
const armText = ([op, name]) => op === "put" ? `put into ${name}` : `take from ${name}`;
function waiterRow(waiter) {
	return element("tr", {}, cell("", clientName(waiter), {className: "wide", title: waiter.peer || ""}), cell("Op", waiter.op), cell("", armsOf(waiter).map(armText).join(" or ")),
		cell("Since", counting(waiter.age_ms), {className: "number"}), cell("At most", waiter.deadline_ms === undefined ? "for ever" : counting(waiter.deadline_ms, -1), {className: "number"}));
}
/* So many waiters, in as many pages as they come in. */
async function askWaiters(limit, query) {
	const all = {waiters: [], more: true};
	while (all.more && all.waiters.length < limit) {
		const page = await ask("GET", `/api/v1/waiters?limit=${limit - all.waiters.length}${query}${all.next === undefined ? "" : "&after=" + all.next}`);
		all.waiters.push(...page.waiters); all.more = page.more; all.next = page.next;
	}
	return all;
}
async function lookAtWaiters() {
	let answer;
	try { answer = await askWaiters(300, ""); } catch { return; }
	for (const waiter of answer.waiters) for (const [op, name] of armsOf(waiter)) {
		if (!seen[op].has(name)) seen[op].set(name, new Set());
		if (seen[op].get(name).size < 50) seen[op].get(name).add(waiter.connection);
	}
	const found = deadlocks(answer.waiters, answer.more);
	$("alarms").hidden = !found.length; setText($("alarms"), String(found.length));
	if (view !== "waiting") return;
	$("deadlocks").replaceChildren(...found.map(one => element("div", {className: "alarm"}, element("strong", {textContent: one.title}), ...one.lines.map(line => element("p", {textContent: line})))));
	$("waiters").replaceChildren(...answer.waiters.map(waiterRow));
	$("no-waiters").hidden = answer.waiters.length > 0;
	drawGraph(answer.waiters, new Set(found.flatMap(one => one.clients)));
}
/* A client waits for those who were seen to do the opposite on its channels. A circle of clients that all wait, on channels where nothing has moved, is a likely deadlock; and so is a
   daemon whose clients all wait, one of them to put. Only likely: a client may do something else meanwhile, or somebody new may come. */
function deadlocks(waiters, isMore) {
	const waits = new Map(), found = [], now = performance.now();
	for (const waiter of waiters) if (waiter.connection !== undefined) waits.set(waiter.connection, [...(waits.get(waiter.connection) || []), waiter]);
	const isStill = waiter => waiter.age_ms >= STILL_S * 1000 && armsOf(waiter).every(([, name]) => !channels.has(name) || now - channels.get(name).moved >= STILL_S * 1000);
	const nextOf = connection => new Set(waits.get(connection).flatMap(waiter => armsOf(waiter).flatMap(([op, name]) => [...(seen[op === "put" ? "take" : "put"].get(name) || [])])).filter(other => other !== connection && waits.has(other)));
	const done = new Set();
	for (const start of waits.keys()) {
		const path = [];
		for (let at = start; at !== undefined && !done.has(at) && waits.get(at).every(isStill) && waits.get(at).some(waiter => armsOf(waiter).some(([op]) => op === "put"));) {
			if (path.includes(at)) {
				const circle = path.slice(path.indexOf(at));
				found.push({title: "Likely a deadlock: these wait for each other", clients: circle, lines: circle.flatMap(one => waits.get(one).map(waiter => `${clientName(waiter)} waits to ${armsOf(waiter).map(armText).join(" or ")}, for ${age(waiter.age_ms)}`))});
				circle.forEach(one => done.add(one));
				break;
			}
			path.push(at);
			at = [...nextOf(at)][0];
		}
	}
	const all = [...waits.values()].flat(), isPut = all.some(waiter => armsOf(waiter).some(([op]) => op === "put"));
	if (!found.length && !isMore && totals && waits.size > 1 && waits.size >= totals.connections && isPut && all.every(isStill))
		found.push({title: "Everyone waits, and nobody moves", clients: [...waits.keys()], lines: ["All clients wait, at least one of them to put, and nothing has moved for a while."]});
	for (const {row, moved} of channels.values())
		if (row.parked_puts && !row.parked_takes && oldest(row, "put") >= 2 * STILL_S * 1000 && now - moved >= 2 * STILL_S * 1000 && found.length < 5)
			found.push({title: `Nobody takes from ${row.channel}`, clients: [], lines: [`${row.parked_puts} wait to put into it, the oldest for ${age(oldest(row, "put"))}.`]});
	return found;
}
function make(tag, attributes, text) {
	const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const key in attributes) made.setAttribute(key, attributes[key]);
	if (text) made.textContent = text;
	return made;
}
const cut = (text, most) => text.length > most ? text.slice(0, most - 1) + "…" : text;
const legendOf = rows => element("div", {className: "legend"}, ...rows.map(([color, text]) => { const line = element("i"); line.style.color = `var(${color})`; return element("span", {}, line, text); }));
function drawGraph(waiters, stuck) {
	const clients = [...new Map(waiters.map(waiter => [waiter.connection ?? waiter.op, waiter])).entries()].slice(0, 14), names = [...new Set(waiters.filter(waiter => clients.some(([id]) => id === (waiter.connection ?? waiter.op))).flatMap(waiter => armsOf(waiter).map(([, name]) => name)))].slice(0, 18);
	const height = Math.max(clients.length, names.length) * 38 + 16;
	$("graph").hidden = !clients.length;
	const svg = make("svg", {viewBox: `0 0 720 ${height}`, role: "img", "aria-label": "Who waits on which channel: the table below says the same"}), y = i => 26 + i * 38;
	for (const waiter of waiters) for (const [op, name] of armsOf(waiter)) {
		const from = clients.findIndex(([id]) => id === (waiter.connection ?? waiter.op)), to = names.indexOf(name);
		if (from < 0 || to < 0) continue;
		const [x1, y1, x2, y2] = [214, y(from), 506, y(to)];
		const line = make("path", {class: stuck.has(waiter.connection) ? "stuck" : op, d: `M${x1},${y1}C${x1 + 120},${y1} ${x2 - 120},${y2} ${x2},${y2}`}), arrow = op === "put" ? `M${x2 - 7},${y2 - 4}L${x2},${y2}L${x2 - 7},${y2 + 4}` : `M${x1 + 7},${y1 - 4}L${x1},${y1}L${x1 + 7},${y1 + 4}`;
		svg.append(line, make("path", {class: line.getAttribute("class"), d: arrow}));
	}
	/* Who could help: the next in the circle, if there is one. */
	for (const waiter of waiters) for (const [op, name] of armsOf(waiter)) for (const other of seen[op === "put" ? "take" : "put"].get(name) || []) {
		const from = clients.findIndex(([id]) => id === other), to = names.indexOf(name);
		if (from >= 0 && to >= 0 && other !== waiter.connection) svg.append(make("path", {class: "seen", d: `M214,${y(from) + 8}C334,${y(from) + 8} 386,${y(to) + 8} 506,${y(to) + 8}`}));
	}
	const box = (x, i, text, isStuck) => { const group = make("g", isStuck ? {class: "stuck"} : {}); group.append(make("rect", {x, y: y(i) - 14, width: 204, height: 28, rx: 7}), make("text", {x: x + 10, y: y(i) + 4}, cut(text, 26))); svg.append(group); };
	clients.forEach(([id, waiter], i) => box(10, i, clientName(waiter), stuck.has(id)));
	names.forEach((name, i) => box(506, i, name, false));
	$("graph").replaceChildren(legendOf([["--amber", "waits to put"], ["--water", "waits to take"], ["--red", "likely stuck"], ["--soft", "was seen to take from it, or to put"]]), svg);
}

/* -- The cluster, where the daemon is in one -- */

async function lookAtCluster() {
	const groups = [], most = 500;
	let page = {more: true};
	try {
		while (page.more && groups.length < most) {
			page = await ask("GET", `/api/v1/cluster?limit=${most - groups.length}${page.next === undefined ? "" : "&after=" + encodeURIComponent(page.next)}`);
			groups.push(...page.groups);
		}
	} catch { return; }
	const wanted = $("filter").value.toLowerCase(), shown = groups.filter(row => `${row.group} ${row.owner || ""}`.toLowerCase().includes(wanted));
	const web = row => row.http ? element("a", {href: row.http, textContent: row.http}) : "–";
	$("tab-cluster").hidden = false;
	$("groups").replaceChildren(...shown.map(row => element("tr", {}, cell("", row.group, {className: "wide"}), cell("Owner", row.owner || "nobody", {className: row.owner ? "" : "waits"}),
		cell("On its way to", row.target || "–", {className: row.target ? "" : "quiet"}), cell("Epoch", number(row.epoch), {className: "number quiet"}),
		cell("Lag", row.lag_ms === undefined ? "–" : `${number(row.lag_ms)} ms`, {className: "number" + (row.lag_ms ? "" : " quiet")}))));
	$("daemons").replaceChildren(...page.daemons.map(row => element("tr", {}, cell("", row.daemon + (row.self ? " (this one)" : ""), {className: "wide"}), cell("Frames", row.address), cell("HTTP", web(row)))));
	$("no-groups").hidden = shown.length > 0;
	setText($("more-groups"), page.more ? `These are the first ${most}.` : "");
	setText($("cluster-state"), page.joined ? "" : `This daemon has not joined: ${page.waits_for || "it waits for etcd"}.`);
}

/* -- Who feeds whom -- */

const tapsBefore = new Map(); // seq → {carried, at}: to measure by
const matchOf = row => row.match ? Object.entries(row.match).map(([pointer, value]) => `${pointer} = ${JSON.stringify(value)}`).join(", ") : "all";
function tapRate(row) {
	const before = tapsBefore.get(row.seq), at = performance.now();
	tapsBefore.set(row.seq, {carried: row.carried, at});
	return before && at > before.at ? Math.max(0, row.carried - before.carried) * 1000 / (at - before.at) : 0;
}
async function lookAtTaps() {
	const rows = [], most = 300;
	let page = {more: true};
	try {
		while (page.more && rows.length < most) {
			page = await ask("GET", `/api/v1/taps?limit=${most - rows.length}${page.next === undefined ? "" : "&after=" + page.next}`);
			rows.push(...page.taps);
		}
	} catch { return; }
	const wanted = $("filter").value.toLowerCase(), shown = rows.filter(row => `${row.from} ${row.to}`.toLowerCase().includes(wanted)), there = new Set(rows.map(row => row.seq));
	for (const seq of tapsBefore.keys()) if (!there.has(seq)) tapsBefore.delete(seq);
	const link = name => element("a", {href: "#channel/" + name, textContent: name, className: "name"});
	$("tap-rows").replaceChildren(...shown.map(row => {
		const perSecond = tapRate(row);
		return element("tr", {}, cell("", link(row.from), {className: "wide"}), cell("", link(row.to), {className: "wide"}), cell("Match", matchOf(row), {className: row.match ? "" : "quiet"}),
			cell("State", row.state, {className: row.state === "run" ? "quiet" : ""}), cell("Carried", number(row.carried) + (perSecond ? ` (${rate(perSecond)}/s)` : ""), {className: "number"}),
			cell("Unmatched", number(row.unmatched), {className: "number quiet"}), cell("Muted", number(row.muted), {className: "number" + (row.muted ? "" : " quiet")}),
			cell("Held up", row.held ? counting(row.held_ms) : "–", {className: "number" + (row.held ? " waits" : " quiet")}));
	}));
	$("no-taps").hidden = shown.length > 0;
	setText($("more-taps"), page.more ? `These are the oldest ${most}.` : "");
	drawFlow(shown);
}
/* Each channel stands in the column behind the last that feeds it: taps never go round. */
function drawFlow(rows) {
	const most = 14, depths = new Map(rows.flatMap(row => [[row.from, 0], [row.to, 0]]));
	for (let changed = rows.length > 0, i = 0; changed && i < depths.size; i++) {
		changed = false;
		for (const row of rows) if (depths.get(row.to) <= depths.get(row.from)) { depths.set(row.to, depths.get(row.from) + 1); changed = true; }
	}
	const columns = [];
	for (const [name, depth] of depths) (columns[depth] ||= []).push(name);
	const places = new Map(columns.flatMap((names, x) => names.slice(0, most).map((name, y) => [name, [x, y]])));
	const height = Math.max(0, ...columns.map(names => Math.min(most, names.length))) * 38 + 16, width = Math.max(columns.length, 3) * 250 - 40;
	$("flow").hidden = !rows.length;
	const svg = make("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Which channel feeds which: the table below says the same"});
	for (const row of rows) {
		if (!places.has(row.from) || !places.has(row.to)) continue;
		const [[fromX, fromY], [toX, toY]] = [places.get(row.from), places.get(row.to)], x1 = fromX * 250 + 204, y1 = 26 + fromY * 38, x2 = toX * 250 + 10, y2 = 26 + toY * 38;
		const kind = row.held ? "stuck" : row.state === "pause" || row.state === "mute" ? "seen" : row.match ? "put" : "take";
		svg.append(make("path", {class: kind, d: `M${x1},${y1}C${x1 + 28},${y1} ${x2 - 28},${y2} ${x2},${y2}`}), make("path", {class: kind, d: `M${x2 - 7},${y2 - 4}L${x2},${y2}L${x2 - 7},${y2 + 4}`}));
	}
	for (const [name, [x, y]] of places) {
		const group = make("g", {});
		group.append(make("rect", {x: x * 250 + 10, y: 12 + y * 38, width: 194, height: 28, rx: 7}), make("text", {x: x * 250 + 20, y: 30 + y * 38}, cut(name, 25)));
		svg.append(group);
	}
	$("flow").replaceChildren(legendOf([["--water", "carries all"], ["--amber", "carries what matches"], ["--red", "held up: the target has no room"], ["--soft", "paused or muted"]]), svg);
}

/* -- Who is at work: what is leased, the oldest first -- */

async function lookAtWork() {
	const rows = [], most = 300;
	let page = {more: true};
	try {
		while (page.more && rows.length < most) {
			page = await ask("GET", `/api/v1/leases?limit=${most - rows.length}${page.next === undefined ? "" : "&after=" + page.next}`);
			rows.push(...page.leases);
		}
	} catch { return; }
	const wanted = $("filter").value.toLowerCase();
	const shown = rows.filter(row => `${row.name || ""} ${row.peer || ""} ${row.channel}`.toLowerCase().includes(wanted));
	$("leases").replaceChildren(...shown.map(row => element("tr", {}, cell("", clientName(row), {className: "wide", title: row.peer || ""}), cell("", row.channel, {className: "wide"}),
		cell("Values", number(row.values), {className: "number"}), cell("Delivered", row.deliveries + "×", {className: "number" + (row.deliveries > 1 ? " waits" : "")}),
		cell("Since", counting(row.age_ms), {className: "number"}), cell("Comes back in", counting(row.left_ms, -1), {className: "number"}))));
	$("no-leases").hidden = shown.length > 0;
	setText($("more-leases"), page.more ? `These are the oldest ${most}.` : "");
}

/* -- Clients -- */

async function lookAtClients() {
	let answer;
	try { answer = await ask("GET", "/api/v1/clients?limit=200"); } catch { return; }
	const wanted = $("filter").value.toLowerCase();
	const rows = answer.clients.filter(row => `${row.name || ""} ${row.peer} ${row.connection}`.toLowerCase().includes(wanted));
	$("client-rows").replaceChildren(...rows.map(row => element("tr", {}, cell("", row.name ? `${row.name} (${row.connection})` : `client ${row.connection}`, {className: "wide"}), cell("From", row.peer), cell("Speaks", row.wire === "http" ? "HTTP" : "frames"),
		cell("Waiting", number(row.parked), {className: "number" + (row.parked ? "" : " quiet")}), cell("Unsent", bytes(row.unsent_bytes), {className: "number" + (row.unsent_bytes ? " waits" : " quiet")}))));
	setText($("more-clients"), answer.more ? "These are the newest 200." : "");
}

/* -- One channel -- */

/* A click anywhere in a row opens it, but not the end of a selection. */
$("rows").onclick = event => { const row = event.target.closest("tr[data-channel]"); if (row && (event.target.closest("button") || getSelection().isCollapsed)) go("#channel/" + row.dataset.channel); };
function openDetail(name) {
	if (detail === name) return;
	detail = name;
	setText($("detail-name"), name); setText($("detail-said"), "");
	$("detail-values").replaceChildren($("peek")); $("detail-waiters").replaceChildren();
	$("detail-numbers").replaceChildren();
	drawDetail();
	if (!$("detail").open) $("detail").showModal();
}
async function drawDetail() {
	const name = detail, one = channels.get(name);
	for (const button of [$("close-channel"), $("delete-channel"), $("peek")]) button.disabled = !one;
	if (!one) { setText($("detail-said"), synced ? "There is no channel of this name." : ""); return; }
	const row = one.row, list = [["kind", row.kind], ["capacity", row.capacity || "–"], ["buffered", row.buffered], ["leased", row.leased], ["of these delayed", row.delayed || 0], ["durable", row.durable ? "yes" : "no"], ["bytes", bytes(row.bytes)], ["accepted", row.accepted], ["taken", row.taken], ["returned", row.returned],
		["dropped", row.dropped], ["evicted", row.evicted], ["dead-lettered", row.dead_lettered], ["discarded", row.discarded], ["state", row.closed ? "closed" : "open"], ...(row.dead_letter ? [["dead letters to", row.dead_letter]] : [])];
	$("detail-numbers").replaceChildren(...list.map(([key, value]) => element("div", {}, element("dt", {textContent: key}), element("dd", {textContent: value, className: (key === "dropped" || key === "evicted") && value ? "shed" : ""}))));
	$("close-channel").disabled = row.closed;
	$("move-back").hidden = ![...channels.values()].some(other => other.row.dead_letter === name);
	$("move-back").disabled = !row.buffered;
	let answer;
	try { answer = await askWaiters(50, `&channel=${encodeURIComponent(name)}`); } catch { return; }
	if (detail !== name) return;
	$("detail-waiters").replaceChildren(answer.waiters.length ? element("table", {}, element("tbody", {}, ...answer.waiters.map(waiterRow))) : element("p", {className: "hint", textContent: "Nobody."}), answer.more ? element("p", {className: "hint", textContent: "… and more"}) : "");
}
async function act(said, work) { try { setText(said, (await work()) || ""); } catch (error) { setText(said, error.message); } }
function elementsOf(text) {
	const found = [];
	let depth = 0, inString = false, start = 0;
	for (let i = 0; i < text.length; i++) {
		const c = text[i];
		if (inString) { if (c === "\\") i++; else if (c === '"') inString = false; }
		else if (c === '"') inString = true;
		else if (c === "{" || c === "[") depth++;
		else if (c === "}" || c === "]") depth--;
		else if (c === "," && !depth) { found.push(text.slice(start, i)); start = i + 1; }
	}
	return text ? [...found, text.slice(start)] : found;
}
$("peek").onclick = () => act($("detail-said"), async () => {
	/* As they were put, byte by byte: not what a number or a key twice would become here. */
	const response = await fetch(pathOf(detail) + "/values?max=10", {cache: "no-store"}), text = await response.text();
	const values = elementsOf(text.slice(text.indexOf("[") + 1, text.lastIndexOf("]")));
	$("detail-values").replaceChildren(response.ok && values.length ? element("pre", {textContent: values.join("\n").slice(0, 20000), tabIndex: 0}) : element("p", {className: "hint", textContent: "Nothing is in it."}), $("peek"));
});
$("move-back").onclick = () => act($("detail-said"), async () => {
	const {moved, left} = await ask("POST", pathOf(detail) + "/move");
	return `${moved} went back to where they came from` + (left ? `; ${left} stay: they came from nowhere, or there is no room.` : ".");
});
$("close-channel").onclick = () => act($("detail-said"), async () => { await ask("POST", pathOf(detail) + "/close"); return "It is closed: what is in it can still be taken."; });
$("delete-channel").onclick = () => {
	const row = channels.get(detail)?.row, n = row ? row.buffered + row.leased + row.parked_puts : 0;
	setText($("confirm-text"), `Delete ${detail}?` + (n ? ` ${n} values that are in it, leased or wait to be put are lost.` : ""));
	$("confirm").showModal();
};
$("confirm-yes").onclick = () => { $("confirm").close(); act($("detail-said"), async () => { const name = detail; await ask("DELETE", pathOf(name) + "?force=true"); $("detail").close(); say(`${name} is deleted.`); }); };
$("detail").onclose = () => { if ($("detail").open) return; detail = null; leaveDetail(); };

/* -- Addresses: #channel/NAME, #view/waiting and the like. What is on the screen follows them, so that back and forward work. None is
   an element's id: the browser would scroll there, and take the focus away -- */

let hasCome = false; // to a channel from another address of this page, to which its end goes back
function go(address) {
	if (location.hash === address) return;
	hasCome = true;
	location.hash = address;
	follow(); /* now: the event comes later */
}
function follow() {
	let address = location.hash.slice(1);
	try { address = decodeURIComponent(address); } catch { /* it is no address then */ }
	if (address.startsWith("channel/")) { openDetail(address.slice("channel/".length)); return; }
	hasCome = false;
	detail = null;
	if ($("detail").open) $("detail").close();
	show($("tab-" + address.replace("view/", "")) || $("tab-channels"));
}
function leaveDetail() {
	if (!location.hash.startsWith("#channel/")) return;
	if (hasCome) history.back(); else location.replace("#view/" + view);
}
addEventListener("hashchange", follow);

/* -- Making one, and moving about -- */

const form = $("create-form");
$("new").onclick = () => { setText($("create-said"), ""); $("create").showModal(); };
form.kind.onchange = () => { const has = ["bounded", "dropping", "sliding"].includes(form.kind.value); $("capacity-label").hidden = !has; form.capacity.disabled = !has; };
form.onsubmit = event => {
	event.preventDefault();
	const definition = {kind: form.kind.value, ...(form.capacity.disabled ? {} : {capacity: Number(form.capacity.value)})}, name = form.channel.value;
	act($("create-said"), async () => { const answer = await ask("PUT", pathOf(name), definition); $("create").close(); form.channel.value = ""; say(answer.created ? `${name} is there.` : `${name} was there already.`); });
};
const tabs = [...document.querySelectorAll("[role=tab]")];
function show(tab) {
	view = tab.getAttribute("aria-controls");
	for (const one of tabs) { const isOn = one === tab; one.setAttribute("aria-selected", isOn); one.tabIndex = isOn ? 0 : -1; $(one.getAttribute("aria-controls")).hidden = !isOn; }
	$("order").hidden = $("new").hidden = view !== "channels";
	$("filter").hidden = view === "waiting";
	if (view === "waiting") lookAtWaiters();
	if (view === "taps") lookAtTaps();
	if (view === "work") lookAtWork();
	if (view === "clients") lookAtClients();
	if (view === "cluster") lookAtCluster();
}
tabs.forEach(tab => {
	const addressOf = one => "#view/" + one.getAttribute("aria-controls");
	tab.onclick = () => go(addressOf(tab));
	tab.onkeydown = event => { const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]; if (step) { const there = tabs.filter(one => !one.hidden), next = there[(there.indexOf(tab) + step + there.length) % there.length]; next.focus(); go(addressOf(next)); } };
});
document.querySelectorAll("[data-close]").forEach(button => { button.onclick = () => button.closest("dialog").close(); });
$("filter").oninput = () => ({clients: lookAtClients, work: lookAtWork, taps: lookAtTaps, cluster: lookAtCluster}[view] || draw)();
$("order").onchange = draw;
addEventListener("keydown", event => { if (event.key === "/" && !event.target.closest("input,select,dialog") && !$("filter").hidden) { event.preventDefault(); $("filter").focus(); } });
follow();
listen();
