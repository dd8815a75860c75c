/* The dashboard in a real browser: it loads, lives under load, acts, and says nothing on the console. Screenshots stay in $BUILD/browser/.
 *
 *   BUILD=build node tests/browser/dashboard.mjs          (make check-browser installs what it needs)
 */
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {mkdirSync, mkdtempSync, rmSync} from "node:fs";
import {createRequire} from "node:module";
import net from "node:net";
import {tmpdir} from "node:os";
import path from "node:path";

const BUILD = path.resolve(process.env.BUILD || "build"), SHOTS = path.join(BUILD, "browser");
const {chromium} = createRequire(path.join(SHOTS, "package.json"))("playwright-core");
const CHANNELS = "channels={jobs: {kind: bounded, capacity: 32}, 'jobs:failed': {kind: bounded, capacity: 100}, telemetry: {kind: dropping, capacity: 50}, latest: {kind: sliding, capacity: 1}," +
	" requests: {kind: unbuffered}, results: {kind: bounded, capacity: 8}, 'orders:eu': {kind: bounded, capacity: 200}, leader: {kind: promise}}";

class Client { /* frames, for load */
	constructor(port, name) {
		this.id = 0;
		this.waiting = new Map();
		this.rest = Buffer.alloc(0);
		this.socket = net.connect(port, "127.0.0.1");
		this.socket.on("data", data => this.read(data)).on("error", () => {});
		this.ask({op: "hello", protocol: 1, name});
	}
	read(data) {
		this.rest = Buffer.concat([this.rest, data]);
		while (this.rest.length >= 4 && this.rest.length >= 4 + this.rest.readUInt32BE(0)) {
			const length = this.rest.readUInt32BE(0), reply = JSON.parse(this.rest.subarray(4, 4 + length));
			this.rest = this.rest.subarray(4 + length);
			this.waiting.get(reply.id)?.(reply);
			this.waiting.delete(reply.id);
		}
	}
	ask(request) {
		const body = Buffer.from(JSON.stringify({id: ++this.id, ...request})), head = Buffer.alloc(4);
		head.writeUInt32BE(body.length);
		this.socket.write(Buffer.concat([head, body]));
		return new Promise(resolve => this.waiting.set(this.id, resolve));
	}
	close() { this.socket.destroy(); }
}

function startDaemon() {
	const child = spawn(path.join(BUILD, "millraced"), ["--listen", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", "--set", "limits.grace_ms=0", "--set", CHANNELS], {stdio: ["ignore", "ignore", "pipe"]});
	return new Promise((resolve, reject) => {
		let log = "";
		child.on("exit", () => reject(new Error(log)));
		child.stderr.on("data", data => {
			log += data;
			const http = log.match(/http: (http:\/\/[^ ]+)/), ready = log.match(/ready: tcp:\/\/[^:]+:(\d+)/);
			if (http && ready) resolve({child, url: http[1], port: Number(ready[1])});
		});
	});
}

/* Producers that outrun their consumers, a consumer that is idle, and two who wait for each other. */
function makeLoad(port) {
	const names = ["scraper-1", "scraper-2", "worker-a", "sensor", "api", "billing", "shipping"], clients = Object.fromEntries(names.map(name => [name, new Client(port, name)]));
	const timers = [setInterval(() => { for (let i = 0; i < 40; i++) clients.sensor.ask({op: "put", channel: "telemetry", value: {t: i}}); clients.api.ask({op: "take", channel: "telemetry", max: 30, timeout_ms: 0}); }, 100),
		setInterval(() => clients.sensor.ask({op: "put", channel: "latest", value: {at: Date.now()}}), 50),
		setInterval(() => clients["worker-a"].ask({op: "take", channel: "jobs", timeout_ms: 0}), 20),
		setInterval(() => { clients.api.ask({op: "put", channel: "orders:eu", values: [1, 2, 3], timeout_ms: 0}); if (Math.random() < 0.9) clients.billing.ask({op: "take", channel: "orders:eu", max: 3, timeout_ms: 0}); }, 70)];
	const produce = async name => { while (!(await clients[name].ask({op: "put", channel: "jobs", value: {url: "http://x/y"}})).error); };
	produce("scraper-1");
	produce("scraper-2");
	clients.shipping.ask({op: "take", channel: "requests"});
	clients.api.ask({op: "alts", arms: [{take: "requests"}, {take: "jobs:failed"}]});
	return {clients, stop() { timers.forEach(clearInterval); Object.values(clients).forEach(client => client.close()); }};
}

const tests = [];
const test = (name, run) => tests.push([name, run]);
const shot = (page, name, options) => page.screenshot({path: path.join(SHOTS, name + ".png"), ...options});
/* The page's policy forbids eval, and with it Playwright's own way to wait for a function. */
async function until(page, condition, argument) {
	for (const end = Date.now() + 60000; !(await page.evaluate(condition, argument)); await new Promise(resolve => setTimeout(resolve, 50)))
		assert.ok(Date.now() < end, `this did not come true: ${condition}`);
}
const row = (page, name) => page.locator(`tr[data-channel="${name}"]`);

test("it loads, and shows what is there", async ({page}) => {
	await page.waitForSelector("#state.live");
	for (const name of ["jobs", "telemetry", "leader", "requests"]) await row(page, name).waitFor();
	assert.equal(await row(page, "jobs").locator(".kind").textContent(), "bounded");
	assert.match(await row(page, "jobs").locator("[role=meter]").textContent(), /\d+ \/ 32/);
	assert.equal(await page.locator("tbody#rows tr").count(), 8);
});

test("it lives under load", async ({page, daemon, browser}) => {
	const load = makeLoad(daemon.port);
	try {
		await until(page, () => document.querySelector('tr[data-channel="jobs"] .gauge.full'));
		await until(page, () => /\(.*\/s\)/.test(document.querySelector('tr[data-channel="telemetry"] .shed')?.textContent));
		await until(page, () => document.querySelector('tr[data-channel="jobs"] .waits')?.textContent === "2");
		assert.equal(await page.locator("tbody#rows tr").first().getAttribute("data-channel"), "telemetry");
		await until(page, () => document.querySelector('tr[data-channel="jobs"] .spark-in').getAttribute("d").split("L").length > 25);
		await shot(page, "channels-light");
		await shot(page, "readme", {clip: {x: 0, y: 0, width: 1200, height: 728}});
		await page.emulateMedia({colorScheme: "dark"});
		await shot(page, "channels-dark");
		await page.emulateMedia({colorScheme: "light"});
		await row(page, "jobs").locator(".waits").click();
		await until(page, () => document.querySelector("#detail-waiters")?.textContent.includes("scraper-1"));
		await page.click("#peek");
		await until(page, () => document.querySelector("#detail-values pre")?.textContent.includes('{"url":"http://x/y"}'));
		await shot(page, "detail");
		await page.keyboard.press("Escape");
		await page.click("#tab-clients");
		await until(page, () => document.querySelector("#client-rows")?.textContent.includes("worker-a"));
		await shot(page, "clients");
		const phone = await browser.newContext({viewport: {width: 390, height: 844}, isMobile: true, deviceScaleFactor: 2});
		const small = await phone.newPage();
		await small.goto(daemon.url);
		await small.waitForSelector('tr[data-channel="jobs"]');
		assert.ok(await small.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is wider than the phone");
		await shot(small, "phone");
		await phone.close();
	} finally {
		load.stop();
		await page.click("#tab-channels");
	}
});

test("who waits for each other is found", async ({page, daemon}) => {
	const [a, b, c] = ["a", "b", "bystander"].map(name => new Client(daemon.port, name));
	await page.click("#tab-waiting");
	const waitFor = text => until(page, wanted => document.querySelector("#waiters").textContent.includes(wanted), text);
	/* Each is seen to take from what the other will put to. */
	const first = a.ask({op: "take", channel: "requests"}), second = b.ask({op: "take", channel: "results"});
	await waitFor("take from results");
	await c.ask({op: "put", channel: "requests", value: 1});
	await c.ask({op: "put", channel: "results", value: 1});
	await Promise.all([first, second]);
	await c.ask({op: "put", channel: "requests", value: 1, timeout_ms: 0});
	await c.ask({op: "put", channel: "results", values: [1, 2, 3, 4, 5, 6, 7, 8]});
	a.ask({op: "put", channel: "results", value: "x"});
	b.ask({op: "put", channel: "requests", value: "y"});
	await page.waitForSelector(".alarm", {timeout: 60000});
	const text = await page.locator(".alarm").first().textContent();
	assert.match(text, /wait for each other/);
	assert.match(text, /a \(\d+\) waits to put into results/);
	assert.match(text, /b \(\d+\) waits to put into requests/);
	await shot(page, "waiting");
	[a, b, c].forEach(client => client.close());
	await until(page, () => !document.querySelector(".alarm"));
	await page.click("#tab-channels");
});

test("a channel is made, closed and deleted, by keyboard", async ({page}) => {
	await page.focus("#new");
	await page.keyboard.press("Enter");
	await page.fill("[name=channel]", "made:here");
	await page.fill("[name=capacity]", "5");
	await page.keyboard.press("Enter");
	await row(page, "made:here").waitFor();
	await row(page, "made:here").locator(".name").press("Enter");
	await page.focus("#close-channel");
	await page.keyboard.press("Enter");
	await until(page, () => document.querySelector('tr[data-channel="made:here"]').textContent.includes("closed"));
	await page.focus("#delete-channel");
	await page.keyboard.press("Enter");
	await page.click("#confirm-yes");
	await row(page, "made:here").waitFor({state: "detached"});
	await page.click("#new");
	await page.fill("[name=channel]", "jobs");
	await page.fill("[name=capacity]", "5");
	await page.click("#create-form button");
	await until(page, () => document.querySelector("#create-said").textContent.includes("another definition"));
	await page.keyboard.press("Escape");
});

test("tabs, filter and order", async ({page}) => {
	await page.focus("#tab-channels");
	await page.keyboard.press("ArrowRight");
	assert.equal(await page.getAttribute("#tab-waiting", "aria-selected"), "true");
	await page.keyboard.press("ArrowLeft");
	await page.keyboard.press("/");
	await page.keyboard.type("jobs");
	await until(page, () => document.querySelectorAll("#rows tr").length === 2);
	await page.fill("#filter", "");
	await page.evaluate(() => document.activeElement.blur());
	await page.selectOption("#order", "name");
	await page.mouse.move(0, 0);
	await until(page, () => [...document.querySelectorAll("#rows tr")].map(one => one.dataset.channel).join() === "jobs,jobs:failed,latest,leader,orders:eu,requests,results,telemetry");
});

test("a row opens its channel, which has an address, at any width", async ({page, daemon}) => {
	const isOpen = name => until(page, wanted => document.querySelector("#detail").open && document.querySelector("#detail-name").textContent === wanted && document.querySelector("#detail-numbers").children.length > 5, name);
	const isClosed = () => until(page, () => !document.querySelector("#detail").open);
	const hasAddress = address => until(page, wanted => location.hash === wanted, address);
	for (const width of [400, 1400]) {
		await page.setViewportSize({width, height: 860});
		await page.goto(daemon.url);
		await page.waitForSelector("#state.live");
		await row(page, "jobs").waitFor();
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `the page is wider than ${width} px`);
		for (const place of [".flow", "td:last-child", ".gauge", ".kind", ".name"]) {
			await row(page, "jobs").locator(place).click();
			await isOpen("jobs");
			await hasAddress("#channel/jobs");
			assert.ok(await page.evaluate(() => document.querySelector("#detail").getBoundingClientRect().right <= innerWidth), `the details are wider than ${width} px`);
			await page.goBack();
			await isClosed();
			await hasAddress("");
		}
		await page.goForward();
		await isOpen("jobs");
		await page.keyboard.press("Escape");
		await isClosed();
		await shot(page, `width-${width}`);
	}
	await page.goto(daemon.url + "/#channel/jobs:failed"); /* as somebody has sent it */
	await page.reload();
	await isOpen("jobs:failed");
	await page.keyboard.press("Escape");
	await hasAddress("#view/channels");
	await row(page, "jobs").locator(".name").click();
	await isOpen("jobs");
	await page.keyboard.press("Escape");
	await hasAddress("#view/channels");
	await page.click("#tab-waiting");
	await hasAddress("#view/waiting");
	await page.goto(daemon.url + "/#channel/nowhere%20<b>");
	await until(page, () => document.querySelector("#detail-said").textContent.includes("no channel of this name"));
	assert.equal(await page.locator("#detail-name").textContent(), "nowhere <b>");
	assert.ok(await page.locator("#delete-channel").isDisabled());
	await page.goBack();
	await isClosed();
	await until(page, () => document.querySelector("#tab-waiting").getAttribute("aria-selected") === "true");
	await page.click("#tab-channels");
	await page.setViewportSize({width: 1200, height: 860});
});

test("a sparkline begins where data begin, without a spike", async ({page, daemon}) => {
	const client = new Client(daemon.port, "burst"), path = () => document.querySelector('tr[data-channel="results"] .spark-in').getAttribute("d");
	await client.ask({op: "delete", channel: "results", force: true});
	await client.ask({op: "create", channel: "results", kind: "sliding", capacity: 8});
	await page.goto(daemon.url);
	await page.reload();
	await row(page, "results").waitFor();
	await page.waitForSelector("#state.live");
	const turns = () => page.evaluate(() => document.querySelectorAll("#totals b")[7].textContent);
	for (let seen = new Set(); seen.size < 4; seen.add(await turns())) await new Promise(resolve => setTimeout(resolve, 50)); /* some ticks */
	await client.ask({op: "put", channel: "results", values: Array.from({length: 500}, (_, i) => i)});
	await until(page, () => document.querySelector('tr[data-channel="results"] .spark-in').getAttribute("d").includes("L"));
	const points = (await page.evaluate(path)).slice(1).split("L").map(one => one.split(",").map(Number));
	assert.equal(points[0][1], 19, "it begins with a spike");
	assert.ok(points[0][0] > 30, "it begins before the data");
	assert.ok(points.some(([, y]) => y < 2));
	client.close();
});

test("ages count up", async ({daemon, context}) => {
	const client = new Client(daemon.port, "patient"), page = await context.newPage();
	await page.clock.install();
	await page.goto(daemon.url);
	client.ask({op: "take", channel: "requests", timeout_ms: 600000});
	const oldest = () => page.evaluate(() => document.querySelector('tr[data-channel="requests"] td:last-child').textContent);
	await until(page, () => /^\d+ s$/.test(document.querySelector('tr[data-channel="requests"] td:last-child')?.textContent));
	await page.clock.runFor("01:05");
	assert.match(await oldest(), /^1 min \d+ s$/);
	const before = await oldest();
	await page.clock.runFor(2000);
	assert.notEqual(await oldest(), before);
	client.close();
	await page.close();
});

test("who feeds whom is drawn, and where it is held up", async ({page, daemon}) => {
	const client = new Client(daemon.port, "plumber");
	await page.click("#tab-taps");
	await until(page, () => !document.querySelector("#no-taps").hidden && document.querySelector("#flow").hidden);
	for (const [channel, kind, capacity] of [["feed", "bounded", 9], ["audit", "bounded", 9], ["slow", "unbuffered"], ["last", "sliding", 1]]) await client.ask({op: "create", channel, kind, capacity});
	await client.ask({op: "tap", from: "feed", to: "audit", match: {"/a": "<b>"}});
	await client.ask({op: "tap", from: "audit", to: "last"});
	await client.ask({op: "tap", from: "feed", to: "slow"});
	await client.ask({op: "put", channel: "feed", value: {a: "<b>"}});
	await until(page, () => /feedaudit\/a = "<b>"run1.*auditlastallrun1.*feedslowallrun000(now|\d+ s)/.test(document.querySelector("#tap-rows").textContent));
	const boxes = await page.$$eval("#flow g", groups => groups.map(group => [group.textContent, Number(group.firstChild.getAttribute("x"))]));
	assert.deepEqual(boxes, [["feed", 10], ["audit", 260], ["slow", 260], ["last", 510]]);
	assert.equal(await page.locator("#flow path.stuck").count(), 2); // a line and its arrow
	await shot(page, "taps");
	await page.fill("#filter", "last");
	await until(page, () => document.querySelector("#tap-rows").children.length === 1);
	await page.fill("#filter", "");
	await page.click('#tap-rows a:text("slow")');
	await until(page, () => document.querySelector("#detail-name").textContent === "slow" && /tap/.test(document.querySelector("#detail-waiters").textContent));
	await page.keyboard.press("Escape");
	await client.ask({op: "delete", channel: "feed", force: true});
	await until(page, () => document.querySelector("#tap-rows").children.length === 1);
	for (const channel of ["audit", "slow", "last"]) await client.ask({op: "delete", channel, force: true});
	await page.click("#tab-channels");
	client.close();
});

test("who is at work is seen, and dead letters go back", async ({page, daemon}) => {
	const client = new Client(daemon.port, "busy");
	await client.ask({op: "create", channel: "fragile", kind: "bounded", capacity: 5, max_deliveries: 1, dead_letter: "jobs:failed"});
	await client.ask({op: "put", channel: "fragile", value: "x"});
	await page.click("#tab-work");
	const {lease} = await client.ask({op: "take", channel: "fragile", lease_ms: 600000});
	await until(page, () => /busy \(\d+\)fragile11×(now|\d+ s)(9 min \d+ s|10 min)/.test(document.querySelector("#leases").textContent));
	await client.ask({op: "nack", lease});
	await until(page, () => !document.querySelector("#no-leases").hidden);
	await client.ask({op: "put", channel: "fragile", value: "later", delay_ms: 600000});
	await page.click("#tab-channels");
	await until(page, () => document.querySelector('tr[data-channel="fragile"] [role=meter]')?.textContent === "0 / 5 + 1 delayed");
	await row(page, "fragile").locator(".name").click();
	assert.ok(await page.locator("#move-back").isHidden());
	await page.keyboard.press("Escape");
	await row(page, "jobs:failed").locator(".name").click();
	await page.click("#move-back");
	await until(page, () => document.querySelector("#detail-said").textContent.startsWith("1 went back"));
	await page.keyboard.press("Escape");
	assert.equal((await client.ask({op: "take", channel: "fragile", timeout_ms: 0})).value, "x");
	await client.ask({op: "delete", channel: "fragile", force: true});
	client.close();
});

test("names and values are text, never HTML", async ({page, daemon}) => {
	const client = new Client(daemon.port, "<img src=x onerror=window.evil=1>");
	await client.ask({op: "put", channel: "jobs:failed", value: "<script>window.evil=1</script><img src=x onerror=window.evil=1>"});
	client.ask({op: "take", channel: "requests"});
	await row(page, "jobs:failed").locator(".name").click();
	await page.click("#peek");
	await until(page, () => document.querySelector("#detail-values pre")?.textContent.includes("<script>"));
	await page.keyboard.press("Escape");
	await page.click("#tab-waiting");
	await until(page, () => document.querySelector("#waiters").textContent.includes("<img"));
	assert.equal(await page.evaluate(() => window.evil), undefined);
	client.close();
	await page.click("#tab-channels");
});

test("ten thousand channels", async ({page, daemon}) => {
	const client = new Client(daemon.port, "many");
	await Promise.all(Array.from({length: 10000}, (_, i) => client.ask({op: "create", channel: `many.${i}`, kind: "dropping", capacity: 10})));
	await until(page, () => document.querySelector("#more").textContent.includes("200 of 10008"));
	await page.fill("#filter", "many.9999");
	await row(page, "many.9999").waitFor();
	await page.reload();
	await until(page, () => document.querySelector("#more").textContent.includes("200 of 10008"));
	client.close();
});

test("it says so when the daemon is gone", async ({page, daemon}) => {
	daemon.child.removeAllListeners("exit");
	daemon.child.kill("SIGTERM");
	await page.waitForSelector("#state.bad");
	daemon.isGone = true;
});

mkdirSync(SHOTS, {recursive: true});
const profile = mkdtempSync(path.join(tmpdir(), "millrace-browser."));
const daemon = await startDaemon();
const context = await chromium.launchPersistentContext(profile, {executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, viewport: {width: 1200, height: 860},
	args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]});
const page = await context.newPage(), complaints = [];
let failed = 0;
page.setDefaultTimeout(30000);
page.on("console", message => message.type() === "error" && !daemon.isEnding && complaints.push(message.text() + " " + message.location().url));
page.on("pageerror", error => complaints.push(String(error)));
const browser = {newContext: options => chromium.launch({executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-quic"]}).then(async one => {
	const made = await one.newContext(options), close = made.close.bind(made);
	made.close = async () => { await close(); await one.close(); };
	return made;
})};
try {
	await page.goto(daemon.url);
	for (const [name, run] of tests) {
		const start = Date.now();
		daemon.isEnding = name.includes("gone");
		try {
			await run({page, daemon, browser, context});
			assert.deepEqual(complaints.filter(text => !/409 \(Conflict\)/.test(text)), [], "the console complains");
			console.log(`ok      ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
		} catch (error) {
			failed++;
			console.log(`FAILED  ${name}\n${error.stack}`);
			await shot(page, `failed-${failed}`).catch(() => {});
		}
		complaints.length = 0;
	}
} finally {
	await context.close();
	daemon.child.removeAllListeners("exit");
	daemon.child.kill("SIGTERM");
	rmSync(profile, {recursive: true, force: true});
}
console.log(`${tests.length - failed} passed, ${failed} failed; screenshots in ${SHOTS}`);
process.exit(failed ? 1 : 0);
