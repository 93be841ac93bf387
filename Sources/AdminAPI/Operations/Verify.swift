import AdminDocuments
import Metadata
import NIOHTTP1
import Raft
import Replication

extension AdminRoute {
    static let verify = AdminRoute(.GET, "/metadata/verify", action: "verify") { call throws(AdminError) in
        guard case .verified(let comparison) = try await call.outcome(of: .verify) else {
            throw AdminError(.internalServerError, "InternalError", "The comparison has come to something else.")
        }
        return AdminJSON.encode(VerificationDocument(comparison))
    }
}

extension VerificationDocument {
    init(_ comparison: DigestComparison) {
        var counts: [StateDigest: Int] = [:]
        for digest in comparison.rows.compactMap(\.digest) { counts[digest, default: 0] += 1 }
        // Who is right where a majority contradicts the rest; nobody is where there is none.
        let common = counts.first { 2 * $0.value > comparison.rows.count || counts.count == 1 }?.key
        let verdict: Verdict =
            !comparison.agrees ? .different : comparison.rows.contains { $0.digest == nil } ? .incomplete : .equal
        self.init(
            index: comparison.index.rawValue, verdict: verdict,
            nodes: comparison.rows.map { row in
                Node(
                    id: row.node.rawValue, digest: row.digest?.hexadecimal,
                    agrees: row.digest.flatMap { digest in common.map { $0 == digest } })
            })
    }
}
