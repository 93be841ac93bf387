/// A certificate for `localhost` and `127.0.0.1` that signs itself, valid for a hundred years, and its key. They protect nothing.
enum TestCertificate {
    static let certificatePEM = """
        -----BEGIN CERTIFICATE-----
        MIIBnDCCAUGgAwIBAgIUBAhRNtNB6S6aO1knicTZvJIc57gwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDA2MTc0MloYDzIxMjYxMDMx
        MDYxNzQyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAASSWMkHT/WnEV7/rZj6iwhg18ouYoNfzm6y7xFN2ll7iqqduqbN1Lvw
        0NoKS0FeWvo0miAdGiOKv/DvM5yWwZnqo28wbTAdBgNVHQ4EFgQUa+axVoqlz0/J
        kn8fWsxX2zTDVe8wHwYDVR0jBBgwFoAUa+axVoqlz0/Jkn8fWsxX2zTDVe8wDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSQAwRgIhAKFxCrt6Oas+ZC0SMBeBC1DeTtlPD1w0ZRDCn6FgGYAKAiEA
        p8Jb6Cv6XCgQ9hPhqGGFH4KnBGCGnvxjE8RbGTmDd30=
        -----END CERTIFICATE-----

        """
    static let keyPEM = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgchuHPmdrZhww/i3r
        KbMmibkpZAAntzvwY0rv/4JVhrihRANCAASSWMkHT/WnEV7/rZj6iwhg18ouYoNf
        zm6y7xFN2ll7iqqduqbN1Lvw0NoKS0FeWvo0miAdGiOKv/DvM5yWwZnq
        -----END PRIVATE KEY-----

        """
}
