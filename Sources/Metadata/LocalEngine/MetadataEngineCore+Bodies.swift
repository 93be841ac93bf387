import NIOPosix
import ObjectDataStore

extension MetadataEngineCore {
    package func makeBodyWriter() async throws(MetadataError) -> LocalObjectBodyWriter {
        try await checkSpaceForBodies(space, readThreads)
        do throws(ObjectDataStoreError) {
            let (space, threads) = (space, readThreads)
            return LocalObjectBodyWriter(try await bodies.makeWriter()) { () async throws(MetadataError) in
                try await checkSpaceForBodies(space, threads)
            }
        } catch { throw MetadataError(error) }
    }
}

/// Asks on the pool, because a file system may take its time to tell what it has left.
private func checkSpaceForBodies(_ space: SpaceReserve, _ threads: NIOThreadPool) async throws(MetadataError) {
    let outcome = await threads.runBlocking { Result { () throws(MetadataError) in try space.checkBody() } }
    guard let outcome else { throw MetadataError(.unavailable, "the engine is stopping") }
    try outcome.get()
}
