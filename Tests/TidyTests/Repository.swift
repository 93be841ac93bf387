import Foundation
import Testing

/// The tree that these tests look at, found from this source file.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        .standardizedFileURL

    /// Every file with one of the extensions below the folders, as a path relative to the root; build products and data are left out.
    static func files(in folders: [String], extensions: Set<String>) -> [String] {
        folders.flatMap { folder in
            let base = root.appendingPathComponent(folder)
            let enumerator = FileManager.default.enumerator(atPath: base.path)
            var found: [String] = []
            while let path = enumerator?.nextObject() as? String {
                let parts = path.split(separator: "/")
                let (first, last) = (parts.first ?? "", parts.last ?? "")
                // Fuzz is a package of its own, with build products of its own.
                if last.hasPrefix(".build") || first == ".git" || first == ".venv" || first == "data" {
                    enumerator?.skipDescendants()
                } else if extensions.contains((path as NSString).pathExtension) {
                    found.append(folder == "." ? path : "\(folder)/\(path)")
                }
            }
            return found.sorted()
        }
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    static func lines(_ path: String) throws -> [Substring] {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false)
    }

    static let sources = files(in: ["Sources"], extensions: ["swift"])
    static let swift = files(in: ["Sources", "Tests", "Benchmarks", "Fuzz"], extensions: ["swift"]) + ["Package.swift"]
    static let markdown = files(in: ["."], extensions: ["md"])

    /// The modules: folders of `Sources`.
    static let modules = Set(
        files(in: ["Sources"], extensions: ["swift", "c", "h", "modulemap"]).map { String($0.split(separator: "/")[1]) }
    ).sorted()
}
