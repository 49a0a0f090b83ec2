/**
 * A certificate of nobody, for localhost and 127.0.0.1 until 2126, that tests trust where they say so. Made by
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost
 * -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.
 */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUdCPhHVjekaxFma++m8V7QoZAe1cwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODIxMTY0MVoYDzIxMjYxMTA0
MjExNjQxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQz8CNVKaYKTWnU4Cy3gY0Z7w7mEDUzC1uC6eC+fg5vwxF2XOmbhLPi
SovREV7OGdYKtFOP/dMPffs0y6CEDa4Bo28wbTAdBgNVHQ4EFgQU/n9Knxp5o6Q9
c6+ZQdUgX5EWcCAwHwYDVR0jBBgwFoAU/n9Knxp5o6Q9c6+ZQdUgX5EWcCAwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAKu10gt1N7orwqgLjz5NblppOt4UDRLhjHLzyKEAZ1ocAiAD
M5rHQ/0HJsXWQM4ZZT/YcPolnl4FHSVWfKHR4zseaw==
-----END CERTIFICATE-----
`;

/** Protects nothing: it is here for everybody to read. */
export const privateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgy0QQPYc6ZuFLEZ5u
+iPdX9lf/x5XPT8nD0mwJwBj79mhRANCAAQz8CNVKaYKTWnU4Cy3gY0Z7w7mEDUz
C1uC6eC+fg5vwxF2XOmbhLPiSovREV7OGdYKtFOP/dMPffs0y6CEDa4B
-----END PRIVATE KEY-----
`;
