import NIOPosix
import ObjectDataStore

extension MetadataEngineCore {
    package func makeBodyWriter() async throws(MetadataError) -> LocalObjectBodyWriter {
        try await space.checkBody(on: readThreads)
        do throws(ObjectDataStoreError) {
            let (space, threads) = (space, readThreads)
            return LocalObjectBodyWriter(try await bodies.makeWriter()) { () async throws(MetadataError) in
                try await space.checkBody(on: threads)
            }
        } catch { throw MetadataError(error) }
    }
}
