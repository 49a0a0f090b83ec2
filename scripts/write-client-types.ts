/** Writes src/client/api.ts, the types of the client library, out of the OpenAPI document: `node scripts/write-client-types.ts`. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDoorward } from '../src/index.ts';

interface Schema {
  $ref?: string;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
}

interface Content {
  content?: Record<string, { schema: Schema }>;
}

interface Document {
  paths: Record<string, Record<string, { requestBody?: Content; responses: Record<string, Content> }>>;
  components: { schemas: Record<string, Schema> };
}

function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return 'undefined';
  if (schema.$ref !== undefined) return String(schema.$ref.split('/').at(-1));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ');
  switch (schema.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'array':
      return `(${typeOf(schema.items)})[]`;
    case 'object': {
      const { properties = {}, required = [], additionalProperties } = schema;
      const fields = Object.entries(properties).map(
        ([name, field]) => `${JSON.stringify(name)}${required.includes(name) ? '' : '?'}: ${typeOf(field)};`,
      );
      if (fields.length > 0) return `{ ${fields.join('\n')} }`;
      return `Record<string, ${typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown'}>`;
    }
  }
  return 'unknown';
}

const jsonOf = (content: Content | undefined) => content?.content?.['application/json']?.schema;

/** The text of src/client/api.ts as the routes are now. */
export async function clientTypes(): Promise<string> {
  const doorward = await createDoorward({
    DATABASE_URL: 'sqlite::memory:',
    LOG_LEVEL: 'silent',
    EMAIL_LOGIN: 'on',
  });
  const answer = await (await doorward.app()).inject('/openapi.json');
  await doorward.close();
  const { paths, components }: Document = answer.json();

  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody, responses }]) => {
      const [, success] = Object.entries(responses).find(([status]) => status.startsWith('2')) ?? [];
      const types = `body: ${typeOf(jsonOf(requestBody))}; response: ${typeOf(jsonOf(success))}`;
      return { path, text: `'${method.toUpperCase()} ${path}': { ${types} };` };
    }),
  );
  const own = operations.filter(({ path }) => path.startsWith('/auth/'));
  const named = Object.entries(components.schemas)
    .filter(([name]) => own.some(({ text }) => new RegExp(`\\b${name}\\b`).test(text)))
    .map(([name, schema]) => `export type ${name} = ${typeOf(schema)};`);
  const text = [
    '// Written by scripts/write-client-types.ts out of the OpenAPI document.\n',
    ...named,
    '/** JSON bodies of requests and of their successful answers. */',
    `export interface Api {\n${own.map((operation) => operation.text).join('\n')}\n}\n`,
  ].join('\n');
  const root = join(import.meta.dirname, '..');
  const biome = join(root, 'node_modules', '.bin', 'biome');
  const formatted = spawnSync(biome, ['check', '--write', '--stdin-file-path=src/client/api.ts'], {
    cwd: root,
    input: text,
    encoding: 'utf8',
  });
  if (formatted.status !== 0) throw new Error(formatted.stderr);
  return formatted.stdout;
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, '..', 'src', 'client', 'api.ts'), await clientTypes());
}
