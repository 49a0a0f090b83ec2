import fastJson from 'fast-json-stringify';
import type { FastifySerializerCompiler } from 'fastify';
import type { TSchema } from 'typebox';

/** Of every instance of the process: they have the same schemas. */
const serializers = new WeakMap<TSchema, (data: unknown) => string>();

/**
 * Makes the serializer compiler of our Fastify context, so that a host's own (for another schema language) is not
 * asked. An answer holds what its schema names and nothing else. Schemas are compiled when they are first used.
 */
export function createSerializerCompiler(): FastifySerializerCompiler<TSchema> {
  return ({ schema }) => {
    const known = serializers.get(schema);
    if (known !== undefined) return known;
    let compiled: ((data: unknown) => string) | undefined;
    const serialize = (data: unknown) => {
      compiled ??= fastJson(schema as fastJson.Schema);
      return compiled(data);
    };
    serializers.set(schema, serialize);
    return serialize;
  };
}
