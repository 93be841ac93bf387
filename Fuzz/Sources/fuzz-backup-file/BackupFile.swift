import Backup
import FileSystem
import ObjectDataStore

/// A snapshot file: opened and read to its end, or refused by a `BackupError` that blames the file. What is read encodes to the same header,
/// and its sections are those that the header tells of. So are those of its beginning, up to the end of the store.
///
/// The first byte of the input chooses: the rest is a file as it is, or what a file with right checksums is made of (`CraftedBackup`), or
/// such a file in which one byte is damaged, which must be noticed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBackupFile(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let choice = input.first else { return 0 }
    let isStateAlone = choice & 4 != 0
    switch choice & 3 {
    case 0: _ = isRead(Array(input.dropFirst()), isStateAlone)
    case 1, 2: _ = isRead(crafted(input.dropFirst(), isStateAlone), isStateAlone)
    default:
        guard input.count > 3 else { return 0 }
        var bytes = crafted(input.dropFirst(3), isStateAlone)
        guard !bytes.isEmpty, isRead(bytes, isStateAlone) else { return 0 }
        bytes[(Int(input[1]) << 8 | Int(input[2])) % bytes.count] ^= choice
        precondition(!isRead(bytes, isStateAlone), "a damaged byte is noticed")
    }
    return 0
}

private func crafted(_ input: ArraySlice<UInt8>, _ isStateAlone: Bool) -> [UInt8] {
    let file = CraftedBackup(input)
    return isStateAlone ? Array(file.bytes.prefix(file.stateByteCount)) : file.bytes
}

private func isRead(_ bytes: [UInt8], _ isStateAlone: Bool) -> Bool {
    let (disk, path) = (FaultyFileSystem(), "/file.snap")
    do throws(FileSystemError) { try disk.open(path, .createNew).write(bytes) } catch {
        preconditionFailure("a healthy disk is written: \(error)")
    }
    do throws(BackupError) {
        let opened =
            isStateAlone
            ? try OpenedBackup(openingStateOf: path, id: 1, fileSystem: disk)
            : try OpenedBackup(opening: path, fileSystem: disk)
        try opened.verify()
        precondition(bytes.starts(with: opened.header.encode()), "what is read encodes to the same header")
        try walk(opened, hasBodies: opened.header.hasBodies && !isStateAlone)
        return true
    } catch {
        precondition(error.isOfFile, "a healthy disk is not to blame: \(error)")
        return false
    }
}

/// What is whole is whole again, and has the sections that its header tells of.
private func walk(_ opened: OpenedBackup, hasBodies: Bool) throws(BackupError) {
    var sections = BackupSections(of: opened)
    var (files, bodyCount): ([BackupHeader.StoreFile], UInt64) = ([], 0)
    while let section = try sections.next() {
        let expected: UInt64
        switch section {
        case .file(let file):
            precondition(bodyCount == 0, "the store's files come first")
            files.append(file)
            expected = file.byteCount
        case .body(let body):
            bodyCount += 1
            expected = body.length
        }
        var byteCount: UInt64 = 0
        while let bytes = try sections.read() {
            precondition(!bytes.isEmpty && bytes.count <= BackupSections.byteCountMax, "pieces are bounded")
            byteCount += UInt64(bytes.count)
        }
        precondition(byteCount == expected, "a section has its length")
    }
    precondition(files == opened.header.files, "each file of the store is read")
    precondition(bodyCount == (hasBodies ? opened.header.figures.bodies : 0), "each body is read, where there are any")
}
