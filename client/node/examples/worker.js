/** A worker that loses no job: `node worker.js` works, `node worker.js 5` puts five jobs. Needs a daemon with a channel `jobs`. */
import { connect } from "../src/index.js";

const m = await connect(undefined, { name: "worker.js" });
if (process.argv[2]) {
  for (let i = 0; i < Number(process.argv[2]); i++) await m.put("jobs", { square: i }); // waits while the channel is full
} else {
  for await (const job of m.jobs("jobs", { lease: 30_000 })) console.log(job.value.square ** 2);
}
await m.disconnect();
