/**
 * Writes, out of the OpenAPI document, src/client/api.ts, the types of the client library, and
 * console/src/shared/body-schemas.json, by which the pages check what people enter: `node scripts/write-client-types.ts`.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDoorward } from '../src/index.ts';

const root = join(import.meta.dirname, '..');

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
  format?: string;
  minLength?: number;
  maxLength?: number;
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

async function readDocument(): Promise<Document> {
  const doorward = await createDoorward({
    DATABASE_URL: 'sqlite::memory:',
    LOG_LEVEL: 'silent',
    EMAIL_LOGIN: 'on',
  });
  const answer = await (await doorward.app()).inject('/openapi.json');
  await doorward.close();
  return answer.json();
}

/** What the pages need of a body's schema: nothing that only documents. */
function slim({ type, const: constant, enum: values, anyOf, format, ...schema }: Schema): Schema {
  const { items, properties, required, minLength, maxLength } = schema;
  return JSON.parse(
    JSON.stringify({
      type,
      const: constant,
      enum: values,
      anyOf: anyOf?.map(slim),
      format,
      minLength,
      maxLength,
      items: items && slim(items),
      properties:
        properties &&
        Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, slim(field)])),
      required,
    }),
  );
}

/** The text of console/src/shared/body-schemas.json as the routes are now. */
export async function bodySchemas(): Promise<string> {
  const { paths } = await readDocument();
  const schemas = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody }]) => {
      const schema = jsonOf(requestBody);
      return schema === undefined ? [] : [[`${method.toUpperCase()} ${path}`, slim(schema)]];
    }),
  );
  return format('console/src/shared/body-schemas.json', JSON.stringify(Object.fromEntries(schemas)));
}

/** The text of src/client/api.ts as the routes are now. */
export async function clientTypes(): Promise<string> {
  const { paths, components } = await readDocument();
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
  return format('src/client/api.ts', text);
}

function format(path: string, text: string): string {
  const biome = join(root, 'node_modules', '.bin', 'biome');
  const formatted = spawnSync(biome, ['check', '--write', `--stdin-file-path=${path}`], {
    cwd: root,
    input: text,
    encoding: 'utf8',
  });
  if (formatted.status !== 0) throw new Error(formatted.stderr);
  return formatted.stdout;
}

if (import.meta.main) {
  writeFileSync(join(root, 'src/client/api.ts'), await clientTypes());
  writeFileSync(join(root, 'console/src/shared/body-schemas.json'), await bodySchemas());
}
