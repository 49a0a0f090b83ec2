import { createTraceState, type SpanContext } from '@opentelemetry/api';

/**
 * The span of the caller that a request continues (W3C Trace Context, 3.2), or undefined where there is none or it is
 * not valid: then a trace begins here.
 */
export function readTraceparent(
  traceparent: string | string[] | undefined,
  tracestate: string | string[] | undefined,
): SpanContext | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const [, version, traceId, spanId, flags, more] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(traceparent) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined)
    return undefined;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const state = [tracestate ?? []].flat().join(',');
  return {
    traceId,
    spanId,
    // Of the flags only "sampled" is ours to know.
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(state === '' ? {} : { traceState: createTraceState(state) }),
  };
}
