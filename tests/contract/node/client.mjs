// Starts a run and watches it to its end, cancels another, and is refused a third.
//
//   node client.mjs files|server ADDRESS APP WAITING_APP
//
// Writes what it met to standard output, as one JSON object.

import { randomUUID } from 'node:crypto';

import grpc from '@grpc/grpc-js';

import { fromFiles, fromServer, ownFile } from './contract.mjs';

const DEADLINE_MS = 60_000;
const [how, address, app, waitingApp] = process.argv.slice(2);

const contract = how === 'files' ? fromFiles() : await fromServer(address);
const { RunService, DaemonService } = grpc.loadPackageDefinition(contract).agi.v1;
const errors = ownFile('status.proto');
const runs = new RunService(address, grpc.credentials.createInsecure());
const daemon = new DaemonService(address, grpc.credentials.createInsecure());

/** The answer of a method with one answer. */
function call(client, method, request) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + DEADLINE_MS;
    client[method](request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** Every message of a watch; `met` is called with each as it comes. */
function watch(name, after = 0, met = () => {}) {
  return new Promise((resolve, reject) => {
    const messages = [];
    const request = { name, after_sequence: after, verbose: 3 };
    const stream = runs.WatchRun(request, { deadline: Date.now() + DEADLINE_MS });
    stream.on('data', (message) => {
      messages.push(message);
      met(message);
    });
    stream.on('end', () => resolve(messages));
    stream.on('error', reject);
  });
}

/** What a failed call carried in its trailers. */
function refusal(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const { details } = errors['google.rpc.Status'].deserialize(bytes);
  const infos = details
    .filter(({ type_url: url }) => url.endsWith('/google.rpc.ErrorInfo'))
    .map(({ value }) => errors['google.rpc.ErrorInfo'].deserialize(value));
  return { status: grpc.status[error.code], message: error.details, infos };
}

function told(messages) {
  const last = messages.at(-1);
  return {
    first: messages[0].update,
    events: messages.slice(1, -1).map(({ event }) => ({ sequence: event.sequence, kind: event.kind })),
    sequence: last.sequence,
    run: last.snapshot,
  };
}

async function runToItsEnd() {
  const request = { request_id: randomUUID(), app, mode: 0 };
  const [started, repeated] = [await call(runs, 'StartRun', request), await call(runs, 'StartRun', request)];
  const whole = told(await watch(started.name));
  const half = whole.events[Math.floor(whole.events.length / 2)].sequence;
  return { started, repeated, whole, rest: told(await watch(started.name, half)), half };
}

async function cancelAnother() {
  const started = await call(runs, 'StartRun', { request_id: randomUUID(), app: waitingApp, mode: 0 });
  let asked;
  const messages = await watch(started.name, 0, ({ event }) => {
    if (event?.kind !== 'partition_started' || asked) return;
    asked = call(runs, 'CancelRun', { request_id: randomUUID(), name: started.name, grace_seconds: 0 });
  });
  return { answer: await asked, ...told(messages) };
}

async function beRefused() {
  try {
    await call(runs, 'GetRun', { name: 'runs/none' });
  } catch (error) {
    return refusal(error);
  }
  throw new Error('a run that is none was found');
}

const met = {
  daemon: await call(daemon, 'GetDaemon', {}),
  finished: await runToItsEnd(),
  cancelled: await cancelAnother(),
  refused: await beRefused(),
};
process.stdout.write(`${JSON.stringify(met)}\n`);
runs.close();
daemon.close();
