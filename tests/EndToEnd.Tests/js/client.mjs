// Talks to the server named on the command line as any program with the openai package would.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0, timeout: 120_000 });
const model = "demo";
const ask = (content) => [{ role: "user", content }];
let checks = 0;
const check = async (name, run) => {
  await run();
  checks++;
  console.log(`ok ${name}`);
};

async function collect(stream) {
  let text = "";
  let usage = null;
  let finish = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { text, usage, finish };
}

await check("models", async () => {
  const ids = [];
  for await (const found of client.models.list()) ids.push(found.id);
  assert.deepEqual(ids, [model]);
});

await check("chat and stream say the same", async () => {
  const request = { model, messages: ask("What is 4 plus 5?"), temperature: 0, max_tokens: 48 };
  const whole = await client.chat.completions.create(request);
  const streamed = await collect(await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }));
  assert.match(whole.choices[0].message.content, /9/);
  assert.equal(streamed.text, whole.choices[0].message.content);
  assert.equal(streamed.finish, whole.choices[0].finish_reason);
  assert.equal(streamed.usage.completion_tokens, whole.usage.completion_tokens);
});

await check("parallel", async () => {
  const run = (i) => client.chat.completions.create({ model, messages: ask(`What is ${i} plus 1?`), temperature: 0, max_tokens: 32, stream: true }).then(collect);
  const together = await Promise.all([...Array(32).keys()].map(run));
  for (const i of [0, 13, 31]) assert.equal((await run(i)).text, together[i].text);
});

await check("choices, seed and stop", async () => {
  const request = { model, messages: ask("Hello!"), n: 2, seed: 3, temperature: 1, max_tokens: 20 };
  const first = await client.chat.completions.create(request);
  const second = await client.chat.completions.create(request);
  assert.equal(first.choices.length, 2);
  assert.deepEqual(first.choices.map((c) => c.message.content), second.choices.map((c) => c.message.content));
  const word = await client.completions.create({ model, prompt: "one two three", max_tokens: 16, temperature: 0 });
  const cut = word.choices[0].text.slice(4, 6);
  if (cut.length === 2) {
    const stopped = await client.completions.create({ model, prompt: "one two three", max_tokens: 16, temperature: 0, stop: [cut] });
    assert.equal(stopped.choices[0].text, word.choices[0].text.split(cut)[0]);
  }
});

await check("logprobs", async () => {
  const answer = await client.chat.completions.create({ model, messages: ask("Hello!"), max_tokens: 5, logprobs: true, top_logprobs: 3, temperature: 0 });
  for (const token of answer.choices[0].logprobs.content) {
    assert.equal(token.top_logprobs.length, 3);
    assert.equal(token.top_logprobs[0].logprob, token.logprob);
  }
});

await check("cancel", async () => {
  const stream = await client.chat.completions.create({ model, messages: ask("Hello!"), max_tokens: 1900, stream: true, ignore_eos: true });
  let chunks = 0;
  for await (const chunk of stream) {
    assert.ok(chunk.choices);
    if (++chunks === 10) stream.controller.abort();
  }
  assert.ok(chunks < 1900);
});

await check("errors", async () => {
  await assert.rejects(client.chat.completions.create({ model: "nobody", messages: ask("Hi") }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
  await assert.rejects(client.chat.completions.create({ model, messages: ask("Hi"), temperature: -1 }), (e) => e instanceof OpenAI.BadRequestError && e.param === "temperature");
});

console.log(`${checks} checks passed`);
