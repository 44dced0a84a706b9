/**
 * The connections to an origin: its own, or through a forward proxy where the machine may leave through that alone. Undici's agent
 * knows how the variables of the environment are meant; here they are handed over, so that no process is proxied by chance.
 */
import { Agent, type buildConnector, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici'

/** As in `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. A proxy's URL may hold a password, and is never repeated. */
export interface ProxySettings {
  readonly httpProxy?: string | undefined
  readonly httpsProxy?: string | undefined
  readonly noProxy?: string | undefined
}

export interface DispatcherOptions {
  /** Absent: whichever each request names. */
  readonly origin?: string
  /** To an origin. */
  readonly connections: number
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  readonly proxy?: ProxySettings | undefined
  /** Makes the connections that lead through no proxy, in place of undici's own connector. */
  readonly connect?: buildConnector.connector
}

export function createDispatcher({
  origin,
  connections,
  timeoutMs,
  connectTimeoutMs,
  proxy = {},
  connect,
}: DispatcherOptions): Dispatcher {
  const options = {
    connections,
    pipelining: 1,
    allowH2: false,
    connectTimeout: connectTimeoutMs,
    headersTimeout: Math.ceil(timeoutMs),
    bodyTimeout: Math.ceil(timeoutMs),
    ...(connect === undefined ? {} : { connect }),
  }
  const { httpProxy = '', httpsProxy = '', noProxy = '' } = proxy
  if (httpProxy === '' && httpsProxy === '')
    return origin === undefined ? new Agent(options) : new Pool(origin, options)
  // A proxy that says nothing to a CONNECT would hold the connection's place far longer than one that is not there.
  const clientFactory = (url: URL, given: object) => new Pool(url, { ...given, headersTimeout: connectTimeoutMs })
  return new EnvHttpProxyAgent({
    ...options,
    httpProxy,
    httpsProxy,
    noProxy,
    clientFactory,
  } as EnvHttpProxyAgent.Options)
}

/** What is wrong with them, without a value. */
export function proxyProblems({ httpProxy, httpsProxy }: ProxySettings): string[] {
  return Object.entries({ HTTP_PROXY: httpProxy, HTTPS_PROXY: httpsProxy }).flatMap(([name, url]) =>
    !url || (URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol))
      ? []
      : [`${name} must be an http or https URL`],
  )
}
