// How a client in another language comes to know the methods of the daemon.

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const HERE = dirname(fileURLToPath(import.meta.url));
const OPTIONS = { keepCase: true, longs: Number, enums: String, oneofs: true };
const DEADLINE_MS = 10_000;

/** The contract as it lies in the repository. */
export function fromFiles() {
  const root = join(HERE, '..', '..', '..', 'proto');
  const folder = join('agi_cluster', 'api', 'v1');
  const files = readdirSync(join(root, folder)).map((name) => join(folder, name));
  return loader.loadSync(files, { ...OPTIONS, includeDirs: [root] });
}

/** The contract as the daemon at this address tells it. */
export async function fromServer(address) {
  const { grpc: known } = grpc.loadPackageDefinition(ownFile('reflection.proto'));
  const { ServerReflection } = known.reflection.v1alpha;
  const client = new ServerReflection(address, grpc.credentials.createInsecure());
  try {
    const listed = await ask(client, { list_services: '*' });
    const names = listed.list_services_response.service.map(({ name }) => name);
    const files = new Map();
    for (const name of names.filter((name) => name.startsWith('agi.v1.'))) {
      const found = await ask(client, { file_containing_symbol: name });
      for (const file of found.file_descriptor_response.file_descriptor_proto) {
        files.set(file.toString('base64'), file);
      }
    }
    return loader.loadFileDescriptorSetFromBuffer(fileDescriptorSet(files.values()), OPTIONS);
  } finally {
    client.close();
  }
}

/** A file beside this one. */
export function ownFile(name) {
  return loader.loadSync(name, { ...OPTIONS, includeDirs: [HERE] });
}

function ask(client, request) {
  return new Promise((resolve, reject) => {
    const call = client.ServerReflectionInfo({ deadline: Date.now() + DEADLINE_MS });
    call.on('data', (response) => {
      if (response.error_response) reject(new Error(response.error_response.error_message));
      resolve(response);
    });
    call.on('error', reject);
    call.end(request);
  });
}

/** A google.protobuf.FileDescriptorSet: its one field is the repeated file, number 1. */
function fileDescriptorSet(files) {
  return Buffer.concat([...files].flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
}

function varint(number) {
  const bytes = [];
  for (; number > 0x7f; number >>>= 7) bytes.push((number & 0x7f) | 0x80);
  return Buffer.from([...bytes, number]);
}
